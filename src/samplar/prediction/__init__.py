"""From an adapter and files to label files in the input grid."""
