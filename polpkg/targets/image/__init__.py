"""A disk image as a target: raw or qcow2, changed without root, without a mount and without a loop device.

    blocks, qcow2, nbd          the bytes of the disk, whatever the format of the file
    partitions, signatures      what is on it
    ext, fat                    file systems, read only, without any tool
    volumes, mounts             which of them is the root, and what is mounted where
    staged                      the files of the image, with the changes that are not written yet, in memory
    writing                     those changes, made in a private copy by e2fsprogs and mtools, and checked
    target                      `ImageTarget`, which puts the copy in place of the image by one rename

Import the modules: this package exports nothing, so that a command pays only for what it uses.
"""
