"""An image as a directory: a target whose files a test sees, and makes, in a directory beside it.

Before each call the image is made anew from the directory (by mke2fs) when a test changed that, and after each call
the directory from the image (by debugfs), so that it is never polpkg that says what is in the image.
"""

from __future__ import annotations

import os
import shutil

from disk_images import attempt, need_image_tools, run

from polpkg.targets.image.target import ImageTarget


class MirroredImage:
    """An `ImageTarget` and the directory that is its `/`."""

    def __init__(self, folder):
        need_image_tools()
        self.root = folder / "root"
        self.path = folder / "disk.img"
        self.root.mkdir(exist_ok=True)
        self._seen = None
        self.target = ImageTarget(str(self.path))
        self._make()

    def __getattr__(self, name):
        found = getattr(self.target, name)
        if not callable(found) or name == "lock":
            return found

        def call(*arguments, **options):
            if self._listing() != self._seen:
                self._make()
            before = self.path.stat().st_ino
            try:
                return found(*arguments, **options)
            finally:
                run("e2fsck", "-fn", self.path)
                if self.path.stat().st_ino != before:
                    self._mirror()

        return call

    def _listing(self):
        return sorted((str(each), each.lstat().st_ino, each.lstat().st_mtime_ns) for each in self.root.rglob("*"))

    def _make(self):
        """The image from the directory; what mke2fs adds is taken away again."""
        self.path.unlink(missing_ok=True)
        run("mke2fs", "-q", "-F", "-t", "ext4", "-d", self.root, "-E", "root_owner=0:0", self.path, "16m")
        attempt("debugfs", "-w", "-R", "rmdir lost+found", self.path)
        self._seen = self._listing()

    def _mirror(self):
        """The directory from the image."""
        for each in self.root.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            else:
                each.unlink()
        before = os.umask(0)
        for name in self._names():
            run("debugfs", "-R", f'rdump "/{os.fsdecode(name)}" "{self.root}"', self.path)
        os.umask(before)
        self._seen = self._listing()

    def _names(self):
        lines = attempt("debugfs", "-R", "ls -p /", self.path).stdout.splitlines()
        found = (line.split(b"/")[5] for line in lines if line.startswith(b"/") and not line.startswith(b"/0/"))
        return [name for name in found if name not in {b".", b"..", b"lost+found"}]
