# The policy is put into the tree that a build made, on the machine that builds: Packer's documented post-processor.
# With one of Packer's builders of virtual machines instead of `null`, the commands come after it in the same way.

variable "root" {
  type    = string
  default = "build/root"
}

variable "project" {
  type    = string
  default = "."
}

source "null" "tree" {
  communicator = "none"
}

build {
  sources = ["source.null.tree"]

  post-processor "shell-local" {
    inline = [
      "polpkg sync --locked --offline --yes --project '${var.project}' --root '${var.root}'",
      "polpkg verify --root '${var.root}'",
    ]
  }
}
