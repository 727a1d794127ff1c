"""Front ends: text in, IR statements out, every one with its place."""
