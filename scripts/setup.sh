# Sourced by the other scripts: changes to the project's root and brings what is missing, saying so. Nothing is installed twice.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf '\033[1;31m%s\033[0m\n' "$*" >&2; exit 1; }

# Runs a command while no other of these scripts installs.
alone() {
  (
    flock 9
    "$@"
  ) 9>"${TMPDIR:-/tmp}/evergate-packages-$(id -u).lock"
}

# Debian packages, by root's or sudo's right; elsewhere the names are a hint.
install_packages() {
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "Please install (as root): $*"
    root=(sudo)
  fi
  command -v apt-get >/dev/null || fail "Please install what Debian calls: $*"
  say "Installing Debian packages: $*"
  alone "${root[@]}" apt-get update -qq >&2
  alone "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

need_build_tools() {
  local missing=()
  command -v cc >/dev/null || missing+=(gcc libc6-dev)
  command -v pkg-config >/dev/null || missing+=(pkg-config)
  { command -v pkg-config >/dev/null && pkg-config --exists openssl; } || missing+=(libssl-dev)
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"

  command -v cargo >/dev/null || fail "Rust is missing: install it with rustup (https://rustup.rs), then run this again"
  local wanted found
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  found=$(rustc --version | cut -d' ' -f2)
  [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] ||
    fail "Rust $wanted or newer is needed, this is $found: run 'rustup update stable'"
}

# What tests start: a browser, a Redis of their own, curl, strace, Python, kill.
need_test_programs() {
  local missing=()
  command -v chromium >/dev/null || missing+=(chromium)
  command -v chromedriver >/dev/null || missing+=(chromium-driver)
  [ -n "$(find /usr/share/fonts /usr/local/share/fonts -name '*.?tf' -print -quit 2>/dev/null)" ] || missing+=(fonts-dejavu-core)
  command -v redis-server >/dev/null || missing+=(redis-server)
  command -v curl >/dev/null || missing+=(curl)
  command -v strace >/dev/null || missing+=(strace)
  command -v python3 >/dev/null || missing+=(python3)
  type -P kill >/dev/null || missing+=(procps)
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

# Eve, which resource-api is compared with. A tool for tests, never shipped.
need_eve() {
  need_python_packages TEST_EVE_PYTHON eve "to compare with" \
    eve==2.3.1 Cerberus==1.3.8 Flask==3.1.3 Werkzeug==3.1.9 pymongo==4.20.1 simplejson==3.20.2
}

# Authlib, an OAuth client library that drives the auth-server in a test.
need_authlib() {
  need_python_packages TEST_AUTHLIB_PYTHON authlib "to sign in by it" authlib==1.9.10 requests==2.34.2
}

# Flask-Sentinel, which writes the database that accounts are taken over from in a test: with what it ran on when it was new.
need_sentinel() {
  need_python_packages TEST_SENTINEL_PYTHON flask_sentinel.data "to take accounts over from" \
    Flask-Sentinel==0.0.8 Flask-PyMongo==0.5.2 pymongo==3.13.0 Flask==1.1.4 Werkzeug==0.16.1 Jinja2==2.11.3 MarkupSafe==2.0.1 \
    itsdangerous==1.1.0 oauthlib==2.1.0 bcrypt==5.0.0 setuptools==65.5.0
}

# need_python_packages VARIABLE MODULE PURPOSE NAME==VERSION…: in a folder of their own outside the project, named for the
# first of them; the variable is set to their Python.
need_python_packages() {
  local variable=$1 module=$2 purpose=$3
  shift 3
  [ -z "${!variable:-}" ] || return 0
  local folder=${XDG_CACHE_HOME:-$HOME/.cache}/evergate/${1/==/-}
  local python=$folder/bin/python
  export "$variable=$python"
  "$python" -c "import $module" 2>/dev/null && return
  # A plain Debian has Python without the means to make such a folder.
  python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3 python3-venv
  say "Installing ${1/==/ }, $purpose"
  mkdir -p "${folder%/*}"
  # Of the many that may ask at once, one installs and the others find it done.
  (
    flock 8
    "$python" -c "import $module" 2>/dev/null && exit
    python3 -m venv --clear "$folder"
    "$python" -m pip install --quiet --disable-pip-version-check "$@"
  ) 8>"$folder.lock"
}

# need_cargo_tool COMMAND VERSION
need_cargo_tool() {
  command -v "$1" >/dev/null && return
  say "Installing $1 $2 (some minutes)"
  # Unoptimised: built in a third of the time, and fast enough.
  CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug --locked --quiet "$1@$2"
}
