package qywx

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" // the platform's signature is SHA-1
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// MaxCallback is the largest callback read, in bytes.
const MaxCallback = 256 << 10

// Why a callback is refused. Neither holds any of its content.
var (
	// ErrForged: the signature does not hold; nothing was decrypted.
	ErrForged = errors.New("qywx: the callback is not from WeCom")
	// ErrUnreadable: signed, but not for this corp or not in a shape we understand.
	ErrUnreadable = errors.New("qywx: the callback cannot be read")
)

// Event is one decrypted callback. Fields that its kind does not have are empty.
type Event struct {
	ID             string // the same for every attempt to deliver it: key effects by it
	Name           string // change_external_contact, change_external_chat …
	Change         string // add_external_contact, del_follow_user …
	At             time.Time
	UserID         string // staff
	ExternalUserID string
	State          string // what the contact way carried
	WelcomeCode    string // good once and for 20 s; may be missing
	ChatID         string
}

// VerifyURL answers WeCom's check of the callback address: reply the text as it is. Errors: ErrForged, ErrUnreadable.
func (c *Client) VerifyURL(query url.Values) (string, error) {
	plain, err := c.unseal(query, query.Get("echostr"))
	return string(plain), err
}

// ParseCallback verifies, decrypts and reads a callback. Errors: ErrForged, ErrUnreadable.
func (c *Client) ParseCallback(query url.Values, body []byte) (Event, error) {
	if len(body) > MaxCallback {
		return Event{}, fmt.Errorf("%w: too large", ErrForged)
	}
	var outer struct {
		Encrypt string `xml:"Encrypt"`
	}
	if xml.Unmarshal(body, &outer) != nil { // the wrapping has to be opened to find what is signed
		return Event{}, fmt.Errorf("%w: not XML", ErrForged)
	}
	plain, err := c.unseal(query, outer.Encrypt)
	if err != nil {
		return Event{}, err
	}
	var in struct {
		Event          string `xml:"Event"`
		ChangeType     string `xml:"ChangeType"`
		CreateTime     int64  `xml:"CreateTime"`
		UserID         string `xml:"UserID"`
		ExternalUserID string `xml:"ExternalUserID"`
		State          string `xml:"State"`
		WelcomeCode    string `xml:"WelcomeCode"`
		ChatID         string `xml:"ChatId"`
	}
	if xml.Unmarshal(plain, &in) != nil {
		return Event{}, fmt.Errorf("%w: not XML", ErrUnreadable)
	}
	sum := sha256.Sum256(plain)
	return Event{
		ID: hex.EncodeToString(sum[:12]), Name: in.Event, Change: in.ChangeType, At: time.Unix(in.CreateTime, 0).UTC(),
		UserID: in.UserID, ExternalUserID: in.ExternalUserID, State: in.State, WelcomeCode: in.WelcomeCode, ChatID: in.ChatID,
	}, nil
}

// unseal checks the signature over the encrypted text, then decrypts it.
func (c *Client) unseal(query url.Values, encrypted string) ([]byte, error) {
	want := signature(c.cfg.CallbackToken, query.Get("timestamp"), query.Get("nonce"), encrypted)
	if encrypted == "" || subtle.ConstantTimeCompare([]byte(want), []byte(query.Get("msg_signature"))) != 1 {
		return nil, fmt.Errorf("%w: signature", ErrForged)
	}
	sealed, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64", ErrUnreadable)
	}
	plain, receiver, ok := decrypt(c.key, sealed)
	if !ok || receiver != c.cfg.CorpID {
		return nil, fmt.Errorf("%w: does not decrypt for this corp", ErrUnreadable)
	}
	return plain, nil
}

func signature(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

const (
	blockSize  = 32 // PKCS#7 pads to 32, not to AES's 16
	saltLength = 16
)

// decrypt undoes AES-256-CBC with IV = key[:16]: 16 random bytes, the message's length (big endian), the message, the
// receiver, padding.
func decrypt(key, sealed []byte) (message []byte, receiver string, ok bool) {
	if len(sealed) < blockSize || len(sealed)%aes.BlockSize != 0 {
		return nil, "", false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, "", false
	}
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, sealed)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > blockSize || len(plain)-pad < saltLength+4 {
		return nil, "", false
	}
	plain = plain[saltLength : len(plain)-pad]
	length := int64(binary.BigEndian.Uint32(plain))
	if plain = plain[4:]; length > int64(len(plain)) {
		return nil, "", false
	}
	return plain[:length], string(plain[length:]), true
}

func decodeKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(text + "=")
	if err != nil || len(key) != 32 {
		return nil, errors.New("qywx: CallbackAESKey must be the 43 characters of EncodingAESKey")
	}
	return key, nil
}
