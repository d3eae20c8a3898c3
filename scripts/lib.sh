# Shared by the scripts: a timed step, and installing what is missing where that is allowed. Source it from the project's root.

# What binary, suites and lints are built with, so that they share a build.
FEATURES=votestream/failpoints,votestream/spark

STEPS=""

# step NAME COMMAND…: runs the command and remembers how long it took.
step() {
  name=$1
  shift
  echo "── $name"
  began=$(date +%s)
  "$@"
  STEPS="$STEPS$(printf '%6d s  %s' $(($(date +%s) - began)) "$name")
"
}

# steps_report: how long each step took.
steps_report() {
  printf '── time per step\n%s' "$STEPS"
}

# need_debian COMMAND PACKAGE…: installs the packages where we may, else says the line to type.
need_debian() {
  local command=$1
  shift
  _need "$command" "command -v $command" "$@"
}

# need_protoc: the Spark client is built from its protocol's definition.
need_protoc() {
  need_debian protoc protobuf-compiler libprotobuf-dev
  need_file /usr/include/google/protobuf/any.proto libprotobuf-dev
}

# need_library NAME PACKAGE…: the same for a library's headers, which pkg-config knows by that name.
need_library() {
  local library=$1
  shift
  _need "the headers of $library" "pkg-config --exists $library" "$@"
}

# need_file FILE PACKAGE…: the same for a file, such as a font.
need_file() {
  local file=$1
  shift
  _need "$file" "test -e $file" "$@"
}

# _need WHAT CHECK PACKAGE…
_need() {
  local what=$1 check=$2
  shift 2
  $check >/dev/null 2>&1 && return 0
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    # One at a time: services that are installed side by side may lack the same package.
    mkdir -p target
    {
      flock 9
      if ! $check >/dev/null 2>&1; then
        [ -n "${APT_UPDATED:-}" ] || apt-get update -qq
        APT_UPDATED=1
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 9>&-
      fi
    } 9>target/.apt.lock
  fi
  $check >/dev/null 2>&1 || {
    echo "missing: $what; type: sudo apt-get install $*" >&2
    exit 2
  }
}

# python_venv [DIR PROGRAM REQUIREMENTS]: a virtual environment with what the file names, which brings the program; target/venv with what
# tests/requirements.txt names unless told otherwise.
python_venv() {
  local venv=${1:-target/venv} program=${2:-pytest} requirements=${3:-tests/requirements.txt}
  need_debian python3 python3 python3-venv
  if [ ! -x "$venv/bin/$program" ] || [ "$requirements" -nt "$venv/.made" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
    touch "$venv/.made"
  fi
}
