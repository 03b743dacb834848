"""Files in, files out: the only room that reads and writes tables and pictures."""
