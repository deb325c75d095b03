package liqmon

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
)

const (
	signatureHeader = "risk-signature"
	layout          = "1"
	algorithm       = "hmac-sha256"
	leastKeyBytes   = 32
	domain          = "liquidation-monitor event signature\x00"
)

// Keys are shared keys by their id.
type Keys map[string][]byte

// ReadKeys reads a key file: `ID hmac-sha256 BASE64`, one a line. No error quotes a key.
func ReadKeys(path string) (Keys, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	keys := Keys{}
	for number, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) != 3 || words[1] != algorithm {
			return nil, fmt.Errorf("%s: line %d is not an id, %s and a key", path, number+1, algorithm)
		}
		secret, err := base64.StdEncoding.DecodeString(words[2])
		if err != nil || len(secret) < leastKeyBytes {
			return nil, fmt.Errorf("%s: line %d has no key of %d bytes or more in base64", path, number+1, leastKeyBytes)
		}
		if _, twice := keys[words[0]]; twice {
			return nil, fmt.Errorf("%s: line %d: key %s is there twice", path, number+1, words[0])
		}
		keys[words[0]] = secret
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s has no keys", path)
	}
	return keys, nil
}

// signer returns the id of the key that vouches for a message, or why none does.
func (keys Keys) signer(message Message) (string, *refused) {
	var found [][]byte
	for _, header := range message.Headers {
		if header.Name == signatureHeader {
			found = append(found, header.Value)
		}
	}
	if len(found) == 0 {
		return "", refuse(Unsigned, "there is no signature")
	}
	if len(found) > 1 {
		return "", refuse(Tampered, "there are several signatures")
	}
	parts := strings.Split(string(found[0]), ";")
	if len(parts) != 4 {
		return "", refuse(Tampered, "the signature cannot be read")
	}
	mac, err := base64.RawURLEncoding.DecodeString(parts[3])
	if err != nil {
		return "", refuse(Tampered, "the signature cannot be read")
	}
	if parts[0] != layout || parts[1] != algorithm {
		return "", refuse(UnknownKey, "a layout or an algorithm that is not known here")
	}
	secret, known := keys[parts[2]]
	if !known {
		return "", refuse(UnknownKey, fmt.Sprintf("key %q is none of ours", parts[2]))
	}
	if !hmac.Equal(mac, sum(parts[2], secret, message)) {
		return "", refuse(Tampered, "the signature is not of this message")
	}
	return parts[2], nil
}

// sum is the signature of a message: every part with its length before it, so that no two messages are the same.
func sum(name string, secret []byte, message Message) []byte {
	var said bytes.Buffer
	said.WriteString(domain)
	part := func(value []byte) {
		if value == nil {
			said.WriteByte('-')
			return
		}
		fmt.Fprintf(&said, "%d:", len(value))
		said.Write(value)
	}
	for _, text := range []string{layout, algorithm, name} {
		part([]byte(text))
	}
	part(message.Key)
	part(message.Value)
	for _, header := range message.Headers {
		ours := strings.HasPrefix(header.Name, "ce_") || strings.HasPrefix(header.Name, "risk-")
		if (ours || header.Name == "content-type") && header.Name != signatureHeader {
			part([]byte(header.Name))
			part(header.Value)
		}
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(said.Bytes())
	return mac.Sum(nil)
}
