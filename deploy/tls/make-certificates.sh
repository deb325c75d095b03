#!/bin/sh
# Make an authority, a broker's certificate, and users with passwords: for the compose profile `tls`, and for trying.
# A real cluster has an authority and a store of secrets already; use those.
#
#   deploy/tls/make-certificates.sh FOLDER [NAMES]
#
# NAMES are what the certificate is for, DNS:... or IP:..., with commas between them. What exists is kept.
set -eu
folder=${1:?folder to write to}
names=${2:-DNS:localhost,DNS:kafka-tls,IP:127.0.0.1}
days=825 # what clients still accept of a certificate
umask 077
mkdir -p "$folder/passwords"

key() { # file
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null ||
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null
}

if [ ! -f "$folder/ca.pem" ]; then
    key "$folder/ca.key"
    openssl req -x509 -new -key "$folder/ca.key" -days "$days" -subj "/CN=liqmon trial authority" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign -out "$folder/ca.pem"
fi

if [ ! -f "$folder/broker.pem" ]; then
    key "$folder/broker.key"
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$names" >"$folder/broker.ext"
    openssl req -new -key "$folder/broker.key" -subj "/CN=broker" -out "$folder/broker.csr"
    openssl x509 -req -in "$folder/broker.csr" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -days "$days" \
        -extfile "$folder/broker.ext" -out "$folder/broker.crt" 2>/dev/null
    # Kafka reads key and chain from one file.
    cat "$folder/broker.key" "$folder/broker.crt" "$folder/ca.pem" >"$folder/broker.pem"
    rm "$folder/broker.key" "$folder/broker.csr" "$folder/broker.ext" "$folder/broker.crt"
fi

# owner is the superuser that gives the others their rights; the rest are the roles of docs/security.md.
for user in owner admin worker bot feed books replay letters auditor solver auction; do
    [ -f "$folder/passwords/$user" ] || openssl rand -hex 24 >"$folder/passwords/$user"
done

# The container's user is another one than ours. The authority's key stays ours.
chmod 755 "$folder" "$folder/passwords"
chmod 644 "$folder/ca.pem" "$folder/broker.pem" "$folder"/passwords/*
