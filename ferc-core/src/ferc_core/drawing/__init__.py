"""How everything is drawn: one look for charts, images in them, and charts as files."""
