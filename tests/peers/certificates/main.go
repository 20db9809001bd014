// What Go's x/crypto/ssh reads in certificates, a JSON object a line: certificates NOW PRINCIPAL AUTHORITIES FILE.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

type reading struct {
	Read       bool        `json:"read"`
	Kind       uint32      `json:"kind"`
	Serial     string      `json:"serial"`
	KeyID      string      `json:"key_id"`
	Principals []string    `json:"principals"`
	After      string      `json:"after"`
	Before     string      `json:"before"`
	Critical   [][2]string `json:"critical"`
	Extensions [][2]string `json:"extensions"`
	Accepted   bool        `json:"accepted"`
}

func main() {
	now, err := strconv.ParseInt(os.Args[1], 10, 64)
	check(err)
	principal := os.Args[2]
	authorities := lines(os.Args[3])
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	checker := ssh.CertChecker{
		SupportedCriticalOptions: []string{"force-command", "source-address"},
		Clock:                    func() time.Time { return time.Unix(now, 0) },
	}
	for _, line := range lines(os.Args[4]) {
		encoded, err := json.Marshal(read(line, principal, authorities, &checker))
		check(err)
		fmt.Fprintln(out, string(encoded))
	}
}

func read(line, principal string, authorities []string, checker *ssh.CertChecker) reading {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return reading{}
	}
	certificate, is := key.(*ssh.Certificate)
	if !is || !signed(certificate) || !whole(certificate, line) {
		return reading{}
	}
	isTrusted := false
	for _, authority := range authorities {
		trusted, _, _, _, err := ssh.ParseAuthorizedKey([]byte(authority))
		check(err)
		isTrusted = isTrusted || bytes.Equal(trusted.Marshal(), certificate.SignatureKey.Marshal())
	}
	return reading{
		Read:       true,
		Kind:       certificate.CertType,
		Serial:     strconv.FormatUint(certificate.Serial, 10),
		KeyID:      certificate.KeyId,
		Principals: append([]string{}, certificate.ValidPrincipals...),
		After:      strconv.FormatUint(certificate.ValidAfter, 10),
		Before:     strconv.FormatUint(certificate.ValidBefore, 10),
		Critical:   pairs(certificate.CriticalOptions),
		Extensions: pairs(certificate.Extensions),
		Accepted:   isTrusted && certificate.CertType == ssh.UserCert && checker.CheckCert(principal, certificate) == nil,
	}
}

// Whether the signature fits; the library asks that only together with everything else.
func signed(certificate *ssh.Certificate) bool {
	unsigned := *certificate
	unsigned.Signature = nil
	message := unsigned.Marshal()
	return certificate.SignatureKey.Verify(message[:len(message)-4], certificate.Signature) == nil
}

// Whether what was read is all that the line holds.
func whole(certificate *ssh.Certificate, line string) bool {
	bytesOfLine, err := base64.StdEncoding.DecodeString(strings.Fields(line)[1])
	return err == nil && bytes.Equal(bytesOfLine, certificate.Marshal())
}

func pairs(options map[string]string) [][2]string {
	found := [][2]string{}
	for name, value := range options {
		found = append(found, [2]string{name, value})
	}
	sort.Slice(found, func(i, j int) bool { return found[i][0] < found[j][0] })
	return found
}

func lines(path string) []string {
	text, err := os.ReadFile(path)
	check(err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
