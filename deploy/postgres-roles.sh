#!/bin/sh
# The PostgreSQL image runs this once, on an empty volume. It creates a database for Portico: its owner is for the migrate
# command alone, which gives the second role, the program's, its rights. Temporal gets a role that creates its own databases.
set -eu
psql --username postgres --no-psqlrc --quiet -v ON_ERROR_STOP=1 \
  -v owner_password="$PORTICO_OWNER_PASSWORD" \
  -v program_password="$PORTICO_PROGRAM_PASSWORD" \
  -v temporal_password="$TEMPORAL_PASSWORD" <<'SQL'
create role portico_owner login password :'owner_password';
create role portico login password :'program_password';
create role temporal login createdb password :'temporal_password';
create database portico owner portico_owner;
revoke all on database portico from public;
grant connect on database portico to portico;
SQL
