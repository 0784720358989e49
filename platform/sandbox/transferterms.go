package sandbox

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // sensitive fields are RSA-OAEP with SHA-1
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Scene is what a transfer scene asks for.
type Scene struct {
	Infos       []string // the info_type of every report info, all required
	Perceptions []string // what user_recv_perception may say; empty is always allowed
}

// defaultScenes are the scenes this merchant has been given. 1005 is from an answer of the platform's staff, the
// others are documented; the perceptions of 1002 are not, so only the scene's own name counts.
func defaultScenes() map[string]Scene {
	return map[string]Scene{
		"1000": {[]string{"活动名称", "奖励说明"}, []string{"活动奖励", "现金奖励"}},
		"1002": {[]string{"补贴类型"}, []string{"行政补贴"}},
		"1005": {[]string{"岗位类型", "报酬说明"}, []string{"劳务报酬"}},
		"1011": {[]string{"赔付原因"}, []string{"退款", "商家赔付"}},
	}
}

type transferWire struct {
	AppID      string          `json:"appid"`
	Number     string          `json:"out_bill_no"`
	Scene      string          `json:"transfer_scene_id"`
	OpenID     string          `json:"openid"`
	Name       string          `json:"user_name"`
	Amount     int64           `json:"transfer_amount"`
	Remark     string          `json:"transfer_remark"`
	NotifyURL  string          `json:"notify_url"`
	Perception string          `json:"user_recv_perception"`
	Style      json.RawMessage `json:"user_recv_style"`
	Infos      []struct {
		Type    string `json:"info_type"`
		Content string `json:"info_content"`
	} `json:"transfer_scene_report_infos"`
}

// transferTerms checks everything that can be wrong with a request by itself.
func (s *Sandbox) transferTerms(in *transferWire, serial string) (transferTerms, *payError) {
	t := transferTerms{
		AppID: in.AppID, Scene: in.Scene, OpenID: in.OpenID, Remark: in.Remark, NotifyURL: in.NotifyURL,
		Perception: in.Perception, Styles: string(in.Style), Amount: in.Amount,
	}
	switch {
	case in.AppID != s.cfg.AppID:
		return t, &payError{http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "商户号和appid没有绑定关系"}
	case !validNumber(in.Number, 1, 32, ""):
		return t, paramError("out_bill_no 须为1到32位数字或字母")
	case !filled(in.OpenID, 64):
		return t, paramError("openid 必填")
	case !filled(in.Remark, 32):
		return t, paramError("transfer_remark 长度须为1到32个字符")
	case in.NotifyURL != "" && !s.validNotifyURL(in.NotifyURL):
		return t, paramError("notify_url 须为https地址且不带参数")
	case in.Amount <= 0:
		return t, paramError("transfer_amount 须为正整数")
	case in.Amount < s.cfg.TransferMin || in.Amount > s.cfg.TransferMax:
		return t, invalidRequest("超过单笔转账上下限，核实产品设置是否准确")
	}
	if refusal := s.checkScene(in, &t); refusal != nil {
		return t, refusal
	}
	return t, s.readName(in, serial, &t)
}

// checkScene wants exactly the report infos of the scene, each once and within its length.
func (s *Sandbox) checkScene(in *transferWire, t *transferTerms) *payError {
	scene, known := s.cfg.Scenes[in.Scene]
	if !known {
		return invalidRequest("你尚未获取该转账场景")
	}
	if in.Perception != "" && !slices.Contains(scene.Perceptions, in.Perception) {
		return invalidRequest("暂不支持展示当前传入的用户收款感知")
	}
	var given []string
	for _, info := range in.Infos {
		if !filled(info.Type, 15) || !filled(info.Content, 32) {
			return paramError("transfer_scene_report_infos 的 info_type 最长15个字符，info_content 最长32个字符")
		}
		if !slices.Contains(scene.Infos, info.Type) || slices.Contains(given, info.Type) {
			return paramError("未传入完整且对应的转账场景报备信息，请根据接口文档检查")
		}
		given = append(given, info.Type)
		t.Infos += info.Type + "\x00" + info.Content + "\x01"
	}
	if len(given) != len(scene.Infos) {
		return paramError("未传入完整且对应的转账场景报备信息，请根据接口文档检查")
	}
	return nil
}

// readName decrypts user_name; from 2,000 yuan on it must be there.
func (s *Sandbox) readName(in *transferWire, serial string, t *transferTerms) *payError {
	if in.Name == "" {
		if in.Amount >= nameNeededFrom {
			return paramError("转账金额大于等于2000元时 user_name 必填")
		}
		return nil
	}
	name, refusal := s.decryptField("user_name", in.Name, serial)
	if refusal != nil {
		return refusal
	}
	t.Name = name
	if s.cfg.RefuseWrongName && !s.nameMatches(in.OpenID, name) {
		return &payError{http.StatusBadRequest, reasonWrongName, "收款用户姓名校验不通过"}
	}
	return nil
}

// decryptField reads a field that was encrypted for the platform's key, which Wechatpay-Serial must name.
func (s *Sandbox) decryptField(field, text, serial string) (string, *payError) {
	if serial != s.cfg.PublicKeyID {
		return "", paramError(field + " 须加密，并在 Wechatpay-Serial 中指明微信支付公钥ID")
	}
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", paramError(field + " 解密失败")
	}
	plain, err := rsa.DecryptOAEP(sha1.New(), nil, s.platform, sealed, nil)
	if err != nil || !filled(string(plain), 256) {
		return "", paramError(field + " 解密失败")
	}
	return string(plain), nil
}

// encryptField encrypts for the merchant's key, as answers carry sensitive fields.
func (s *Sandbox) encryptField(text string) string {
	sealed, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, s.merchant, []byte(text), nil)
	if err != nil { // longer than the key allows: no name is
		return ""
	}
	return base64.StdEncoding.EncodeToString(sealed)
}

func randomPackage() string {
	return base64.StdEncoding.EncodeToString([]byte("transfer:" + randomHex(24)))
}

// names are the real names of people, by openid. Who has none matches every name.
type names struct {
	mu       sync.Mutex
	byOpenID map[string]string
}

const maxNames = 100_000

func (n *names) init() { n.byOpenID = map[string]string{} }

// SetRealName says what a person is called on paper; an empty name forgets it.
func (s *Sandbox) SetRealName(person, name string) { s.setNameOf(s.OpenID(person), name) }

func (s *Sandbox) setNameOf(openID, name string) {
	s.names.mu.Lock()
	defer s.names.mu.Unlock()
	if name == "" {
		delete(s.names.byOpenID, openID)
		return
	}
	if len(s.names.byOpenID) < maxNames {
		s.names.byOpenID[openID] = name
	}
}

// nameMatches tells whether a person may be called that; no name given matches everybody.
func (s *Sandbox) nameMatches(openID, name string) bool {
	s.names.mu.Lock()
	defer s.names.mu.Unlock()
	known := s.names.byOpenID[openID]
	return name == "" || known == "" || known == name
}

// answer is what the merchant is told when it sends; the package only while the person has to confirm.
func (t *transfer) answer() map[string]any {
	out := map[string]any{
		"out_bill_no": t.number, "transfer_bill_no": t.id, "create_time": rfc3339(t.createdAt), "state": t.state,
	}
	if t.state == transferWaiting || t.state == transferMoving {
		out["package_info"] = t.pack
	}
	if t.reason != "" {
		out["fail_reason"] = t.reason
	}
	return out
}

// transferNotice is the plaintext of the notification.
func (s *Sandbox) transferNotice(t *transfer) map[string]any {
	out := map[string]any{
		"mch_id": s.cfg.MchID, "out_bill_no": t.number, "transfer_bill_no": t.id, "state": t.state,
		"transfer_amount": t.terms.Amount, "openid": t.terms.OpenID,
		"create_time": rfc3339(t.createdAt), "update_time": rfc3339(t.updatedAt),
	}
	if t.reason != "" {
		out["fail_reason"] = t.reason
	}
	return out
}

// transferRecord is what a query tells: more than the notification, but never the package.
func (s *Sandbox) transferRecord(t *transfer) map[string]any {
	out := s.transferNotice(t)
	out["appid"], out["transfer_remark"] = t.terms.AppID, t.terms.Remark
	if t.terms.Name != "" {
		out["user_name"] = s.encryptField(t.terms.Name)
	}
	return out
}

func shortText(text string, high int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= high && !strings.ContainsRune(text, 0)
}
