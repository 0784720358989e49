package member

import (
	"net/url"
	"strings"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/text"
)

// Member is a person known to the brand.
type Member struct {
	docstore.Doc `bson:",inline"`
	AppID        string             `bson:"app_id"`
	OpenID       docstore.Encrypted `bson:"open_id"`
	UnionID      docstore.Encrypted `bson:"union_id,omitempty"`
	UnionKey     string             `bson:"union_key,omitempty"` // keyed hash of UnionID
	Phone        docstore.Encrypted `bson:"phone,omitempty"`     // +8613800000013
	PhoneKey     string             `bson:"phone_key,omitempty"` // keyed hash of Phone; unique
	Nickname     string             `bson:"nickname,omitempty"`
	Avatar       string             `bson:"avatar,omitempty"`
	Generation   int64              `bson:"generation"` // sessions of an older generation are over
	JoinedAt     time.Time          `bson:"joined_at"`
}

// IDOf is the member id that an identity always has.
func IDOf(appID, openID string) string { return id.Derive("member", appID, openID) }

// Profile is what may be shown of a member.
type Profile struct {
	ID          string
	Nickname    string // Unnamed until the member chose one
	MaskedPhone string // 138****0013; empty when no phone is bound
	Avatar      string // https URL; may be empty
	JoinedAt    time.Time
}

// Unnamed is the nickname of somebody who has not chosen one; WeChat's own word for it.
const Unnamed = "微信用户"

func (m *Member) profile() Profile {
	p := Profile{ID: m.ID, Nickname: m.Nickname, MaskedPhone: Mask(m.Phone), Avatar: m.Avatar, JoinedAt: m.JoinedAt}
	if p.Nickname == "" {
		p.Nickname = Unnamed
	}
	return p
}

// Mask shows the first three and the last four digits of a mainland number, and only the last two of any other.
func Mask(phone docstore.Encrypted) string {
	text := phone.Reveal()
	if national, ok := strings.CutPrefix(text, "+86"); ok && len(national) == 11 {
		return national[:3] + "****" + national[7:]
	}
	if len(text) < 6 {
		return ""
	}
	return "****" + text[len(text)-2:]
}

// international writes a verified number in one form, so that one number has one lookup hash.
func international(p PhoneNumber) (string, error) {
	country, number := strings.TrimPrefix(p.CountryCode, "+"), strings.TrimSpace(p.Number)
	if country == "" {
		country = "86"
	}
	number = strings.TrimPrefix(number, "+"+country)
	digits := strings.NewReplacer(" ", "", "-", "").Replace(number)
	if !allDigits(country) || !allDigits(digits) || len(country) > 4 || len(digits) < 5 || len(digits) > 15 {
		return "", ErrPhoneInvalid
	}
	if country == "86" && (len(digits) != 11 || digits[0] != '1') {
		return "", ErrPhoneInvalid
	}
	return "+" + country + digits, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// ProfileEdit changes what is shown. An empty field stays as it is.
type ProfileEdit struct {
	Nickname string // at most 20 characters, no control or direction characters
	Avatar   string // https URL, at most 512 bytes
}

// Bounds of a profile.
const (
	MaxNickname = 20
	MaxAvatar   = 512
	MaxProfiles = 1000
)

func (e ProfileEdit) check() (ProfileEdit, error) {
	e.Avatar = strings.TrimSpace(e.Avatar)
	bad := ErrProfileInvalid
	refused := false
	if e.Nickname != "" {
		var ok bool
		if e.Nickname, ok = text.Line(e.Nickname, 1, MaxNickname); !ok {
			bad, refused = bad.With("nickname", "须为 1 到 20 个看得见的字 (1 to 20 visible characters)"), true
		}
	}
	if why := avatarFlaw(e.Avatar); why != "" {
		bad, refused = bad.With("avatar", why), true
	}
	if refused {
		return e, bad
	}
	return e, nil
}

func avatarFlaw(avatar string) string {
	if avatar == "" {
		return ""
	}
	const why = "须为 https 图片地址 (an https image address)"
	if len(avatar) > MaxAvatar {
		return why
	}
	u, err := url.Parse(avatar)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return why
	}
	return ""
}
