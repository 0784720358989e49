package miniprogramapi

import (
	"guanxi/internal/edge"
	"guanxi/internal/fault"
)

// The faults of this edge beside those that every edge has.
var (
	errPlatform     = fault.Define("API_PLATFORM_AWAY", fault.Unavailable, "微信暂时没有响应，请稍后重试", "WeChat does not answer, try again")
	errNotification = fault.Define("API_NOTIFICATION_REFUSED", fault.Invalid, "通知未通过验证", "the notification did not pass verification")
)

// ErrNotificationKey is what an adapter wraps when a notification is signed with a key that is not configured: perhaps not
// yet. The platform sends it again.
var ErrNotificationKey = fault.Define("API_NOTIFICATION_KEY", fault.Unavailable, "通知的签名密钥尚未配置", "the notification is signed with a key that is not configured")

// ErrPlatformAway is what an adapter that draws code images wraps when the platform does not answer.
var ErrPlatformAway = errPlatform

// Faults lists the edge's own catalogue entries.
func Faults() []*fault.Fault {
	return append(edge.Faults(), errPlatform, errNotification, ErrNotificationKey)
}
