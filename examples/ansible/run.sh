#!/bin/sh
# Rolls a policy out over three "hosts", and then a change that does not get beyond the second.
set -eu
cd "$(dirname "$0")"
rm -rf build
mkdir -p build/alpha build/beta build/gamma
export ANSIBLE_COLLECTIONS_PATH="$PWD/build/collections" ANSIBLE_HOME="$PWD/build/ansible" ANSIBLE_NOCOLOR=1
export ANSIBLE_PIPELINING=1

# From a clone; others type: ansible-galaxy collection install polpkg-xen-VERSION.tar.gz
ansible-galaxy collection build "${POLPKG_COLLECTION:-../../plugins/ansible}" --output-path build >build/log
ansible-galaxy collection install build/polpkg-xen-*.tar.gz -p build/collections >>build/log

cp -R site build/site
polpkg lock --project build/site >>build/log

play() { # Ansible warns of connections that are none
    ansible-playbook -i inventory.yml rollout.yml -e polpkg_site="$PWD/build/site" "$@" 2>>build/log
}

echo "== everywhere the same policy"
play || { cat build/log >&2; exit 1; }

echo "== what if the network card leaves dom0?"
sed -i 's/^vmv = .*/&\nnetdom = "*"/' build/site/policy.toml
polpkg lock --project build/site >>build/log
play --check --diff --limit alpha || { cat build/log >&2; exit 1; }

echo "== that change: something on beta does not work with it, and gamma never gets it"
touch build/beta/broken
if play; then
    echo "the rollout should have stopped" >&2
    exit 1
fi
for host in alpha beta gamma; do
    echo "== $host"
    polpkg history --root "build/$host"
done
