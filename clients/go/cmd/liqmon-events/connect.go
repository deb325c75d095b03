package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// protection says how the broker is spoken to, by the LIQMON_* variables that liqmon itself reads.
func protection(brokers []string, insecure bool) ([]kgo.Opt, error) {
	protocol := os.Getenv("LIQMON_SECURITY_PROTOCOL")
	switch protocol {
	case "", "plaintext":
		return nil, onThisMachine(brokers, insecure)
	case "ssl", "sasl_ssl":
	default:
		return nil, fmt.Errorf("LIQMON_SECURITY_PROTOCOL is %q: plaintext, ssl or sasl_ssl", protocol)
	}
	config, err := tlsConfig()
	if err != nil {
		return nil, err
	}
	options := []kgo.Opt{kgo.DialTLSConfig(config)}
	if protocol == "sasl_ssl" {
		mechanism, err := user()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.SASL(mechanism))
	}
	return options, nil
}

func tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := os.Getenv("LIQMON_TLS_CA_FILE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificates", file)
		}
	}
	if file := os.Getenv("LIQMON_TLS_CERTIFICATE_FILE"); file != "" {
		key := os.Getenv("LIQMON_TLS_KEY_FILE")
		if key == "" {
			key = file
		}
		pair, err := tls.LoadX509KeyPair(file, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func user() (sasl.Mechanism, error) {
	name, password := os.Getenv("LIQMON_SASL_USERNAME"), os.Getenv("LIQMON_SASL_PASSWORD")
	if file := os.Getenv("LIQMON_SASL_PASSWORD_FILE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(string(text), "\n")
		password = strings.TrimSpace(first)
	}
	if name == "" || password == "" {
		return nil, errors.New("sasl_ssl needs LIQMON_SASL_USERNAME, and LIQMON_SASL_PASSWORD_FILE or LIQMON_SASL_PASSWORD")
	}
	auth := scram.Auth{User: name, Pass: password}
	if os.Getenv("LIQMON_SASL_MECHANISM") == "SCRAM-SHA-256" {
		return auth.AsSha256Mechanism(), nil
	}
	return auth.AsSha512Mechanism(), nil
}

// onThisMachine refuses plain text to another machine, which nobody asked for in so many words.
func onThisMachine(brokers []string, insecure bool) error {
	for _, broker := range brokers {
		host, _, err := net.SplitHostPort(broker)
		if err != nil {
			return err
		}
		if address := net.ParseIP(host); !insecure && host != "localhost" && (address == nil || !address.IsLoopback()) {
			return fmt.Errorf("%s is not on this machine, and nothing protects the way there: "+
				"set LIQMON_SECURITY_PROTOCOL, or say -insecure on a network that you trust", broker)
		}
	}
	return nil
}
