// Logs in with certificates as they are, readable or not, and says what sshd made of each: logins ADDRESS USER KEYS < LINES.
//
// A line is a certificate's name and its bytes in base64. KEYS is a directory of private keys; a certificate whose public key none of them belongs to is
// shown all the same, as SSH lets anybody ask whether a key would do (RFC 4252 section 7). What is printed for each line is "refuses", "takes" (it would
// do, and nobody here can sign) or "admits".
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// How many are tried at once.
const atOnce = 8

var errNobodysKey = errors.New("nobody here can sign")

// Bytes that are sent for a key.
type shown struct {
	algorithm string
	bytes     []byte
}

func (s shown) Type() string                       { return s.algorithm }
func (s shown) Marshal() []byte                    { return s.bytes }
func (s shown) Verify([]byte, *ssh.Signature) error { return errNobodysKey }

// Signs, if sshd asks for a signature: then it takes the certificate.
type holder struct {
	shown
	key   ssh.Signer
	taken bool
}

func (h *holder) PublicKey() ssh.PublicKey { return h.shown }

func (h *holder) Sign(random io.Reader, data []byte) (*ssh.Signature, error) {
	h.taken = true
	if h.key == nil {
		return nil, errNobodysKey
	}
	// Left to itself the library signs with SHA-1 where the key is RSA.
	if rsa, is := h.key.(ssh.AlgorithmSigner); is && h.key.PublicKey().Type() == ssh.KeyAlgoRSA {
		return rsa.SignWithAlgorithm(random, data, ssh.KeyAlgoRSASHA512)
	}
	return h.key.Sign(random, data)
}

func main() {
	address, user, keys := os.Args[1], os.Args[2], readKeys(os.Args[3])
	var lines []string
	for scanner := newScanner(os.Stdin); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	verdicts := make([]string, len(lines))
	next := make(chan int)
	var all sync.WaitGroup
	for i := 0; i < atOnce; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for at := range next {
				verdicts[at] = verdict(address, user, keys, lines[at])
			}
		}()
	}
	for at := range lines {
		next <- at
	}
	close(next)
	all.Wait()
	for at, line := range lines {
		fmt.Println(strings.Fields(line)[0], verdicts[at])
	}
}

func verdict(address, user string, keys []ssh.Signer, line string) string {
	fields := strings.Fields(line + " ")
	encoded := ""
	if len(fields) > 1 {
		encoded = fields[1]
	}
	certificate, err := base64.StdEncoding.DecodeString(encoded)
	check(err)
	who := &holder{shown: shown{algorithm(certificate), certificate}}
	for _, key := range keys {
		// The whole public key but its name stands in its certificate.
		public := key.PublicKey().Marshal()
		if bytes.Contains(certificate, public[4+len(key.PublicKey().Type()):]) && who.key == nil {
			who.key = key
		}
	}
	client, err := ssh.Dial("tcp", address, &ssh.ClientConfig{
		User:            user,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(who)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Timeout:         30 * time.Second,
	})
	switch {
	case err == nil:
		client.Close()
		return "admits"
	case errors.Is(err, errNobodysKey) || strings.Contains(err.Error(), errNobodysKey.Error()):
		return "takes"
	case strings.Contains(err.Error(), "unable to authenticate"):
		if who.taken {
			return "takes"
		}
		return "refuses"
	}
	return "failed: " + err.Error()
}

// What the certificate begins with, if that is a name. RSA has other names for what signs than for what is signed with (RFC 8332).
func algorithm(certificate []byte) string {
	name := "ssh-ed25519-cert-v01@openssh.com"
	if len(certificate) > 4 {
		length := binary.BigEndian.Uint32(certificate)
		if length < 100 && uint64(length) <= uint64(len(certificate)-4) && !bytes.Contains(certificate[4:4+length], []byte{0}) {
			name = string(certificate[4 : 4+length])
		}
	}
	return strings.Replace(name, "ssh-rsa-cert", "rsa-sha2-512-cert", 1)
}

func readKeys(directory string) []ssh.Signer {
	var found []ssh.Signer
	paths, err := filepath.Glob(filepath.Join(directory, "*"))
	check(err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		check(err)
		key, err := ssh.ParsePrivateKey(text)
		check(err)
		found = append(found, key)
	}
	return found
}

func newScanner(from io.Reader) *bufio.Scanner {
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, 1<<20)
	return scanner
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
