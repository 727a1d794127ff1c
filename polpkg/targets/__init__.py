"""Wing 3: hosts, images and trees: what is there, what would change, and the change itself."""
