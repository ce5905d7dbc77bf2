"""Pure arrays: no files, no configuration, no units other than pixels."""
