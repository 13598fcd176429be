"""One module per projector, run as a process of its own; nothing of hilum is needed but by hilum's own."""
