package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"sync/atomic"

	"guanxi/app"
	"guanxi/internal/clock"
	"guanxi/internal/id"
	"guanxi/platform/sandbox"
)

//go:embed web
var web embed.FS

// side is what stands beside the edge: the page, and the hands of the people on it.
type side struct {
	world  *World
	keeper *keeper
	box    *sandbox.Sandbox
	edge   http.Handler
	app    atomic.Pointer[app.App] // nil for the moment between listening and being ready
}

// maxBody bounds what the page sends.
const maxBody = 4 << 10

func (s *side) beside(edge http.Handler) http.Handler {
	s.edge = edge
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", file("web/index.html", "text/html; charset=utf-8"))
	mux.HandleFunc("GET /demo/demo.js", file("web/demo.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /demo/core.js", file("web/core.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /demo/host.js", file("web/host.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /demo/purse.js", file("web/purse.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /demo/demo.css", file("web/demo.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /demo/world", s.present)
	mux.HandleFunc("POST /demo/login", s.login)
	mux.HandleFunc("POST /demo/pay", s.pay)
	mux.HandleFunc("POST /demo/receive", s.receive)
	mux.Handle("/demo/sandbox/", http.StripPrefix("/demo", s.keeper.around(s.box)))
	mux.Handle("/", edge)
	return mux
}

func file(name, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		body, err := web.ReadFile(name)
		if err != nil {
			http.Error(w, "no such page", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'")
		_, _ = w.Write(body) // a client that left is no error of ours
	}
}

// guests are people who are not in the sample: every name is a phone of its own.
var guests = regexp.MustCompile(`^guest-[a-z0-9]{4,20}$`)

// login is a person opening the mini-program: wx.login at the sandbox, then the real POST /v1/login.
func (s *side) login(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Person string `json:"person"`
	}
	if !read(w, r, &in) {
		return
	}
	if _, known := s.world.person(in.Person); !known && !guests.MatchString(in.Person) {
		answer(w, http.StatusNotFound, problem{"没有这个人", "nobody of the sample has this name"})
		return
	}
	body, err := json.Marshal(map[string]string{"code": s.box.LoginCode(in.Person)})
	if err != nil {
		answer(w, http.StatusInternalServerError, problem{"登录失败", err.Error()})
		return
	}
	real := r.Clone(r.Context())
	real.URL.Path, real.URL.RawPath, real.RequestURI = "/v1/login", "", "/v1/login"
	real.Header.Set("Idempotency-Key", "demo-"+id.Random{}.New(clock.System{}.Now()))
	real.Header.Set("Content-Type", "application/json")
	real.Header.Del("Authorization")
	real.Body, real.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	s.edge.ServeHTTP(w, real)
}

// pay is a person tapping "pay" in the sheet that wx.requestPayment opens.
func (s *side) pay(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Person    string `json:"person"`
		TimeStamp string `json:"timeStamp"`
		NonceStr  string `json:"nonceStr"`
		Package   string `json:"package"`
		SignType  string `json:"signType"`
		PaySign   string `json:"paySign"`
	}
	if !read(w, r, &in) {
		return
	}
	transaction, err := s.box.Pay(sandbox.PayInput{
		Package: in.Package, OpenID: s.box.OpenID(in.Person), TimeStamp: in.TimeStamp, NonceStr: in.NonceStr,
		SignType: in.SignType, PaySign: in.PaySign,
	})
	if err != nil {
		answer(w, http.StatusConflict, problem{payWords(err), err.Error()})
		return
	}
	s.keeper.saveOrLog()
	answer(w, http.StatusOK, map[string]string{"transaction": transaction})
}

func payWords(err error) string {
	switch {
	case errors.Is(err, sandbox.ErrPaySign):
		return "微信：支付验证签名失败"
	case errors.Is(err, sandbox.ErrNotPayable):
		return "微信：订单已支付、已关闭或已过期"
	case errors.Is(err, sandbox.ErrOtherPayer):
		return "微信：这是别人的订单"
	}
	return "微信：该预支付单不存在或已过期"
}

// receive is a person tapping "receive" in what wx.requestMerchantTransfer opens.
func (s *side) receive(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Person  string `json:"person"`
		MchID   string `json:"mch_id"`
		AppID   string `json:"app_id"`
		Package string `json:"package"`
	}
	if !read(w, r, &in) {
		return
	}
	if in.Package == "" {
		answer(w, http.StatusBadRequest, problem{"请求格式有误", "package is required"})
		return
	}
	err := s.box.ConfirmTransfer(sandbox.ConfirmInput{
		Package: in.Package, OpenID: s.box.OpenID(in.Person), MchID: in.MchID, AppID: in.AppID,
	})
	if err != nil {
		answer(w, http.StatusConflict, problem{receiveWords(err), err.Error()})
		return
	}
	s.keeper.saveOrLog()
	answer(w, http.StatusOK, map[string]bool{"ok": true})
}

func receiveWords(err error) string {
	switch {
	case errors.Is(err, sandbox.ErrNotConfirmable):
		return "微信：这笔转账已收款、已撤销或已过期"
	case errors.Is(err, sandbox.ErrOtherPayee):
		return "微信：这笔转账是给别人的"
	}
	return "微信：没有这笔转账"
}

// problem has the fields of the edge's own, as far as the page shows them.
type problem struct {
	Title   string `json:"title"`
	English string `json:"english"`
}

// read takes JSON only, so that another web page open in the same browser cannot post here unasked.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if r.Header.Get("Content-Type") != "application/json" {
		answer(w, http.StatusUnsupportedMediaType, problem{"请使用 JSON 格式", "send application/json"})
		return false
	}
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	if err := decoder.Decode(into); err != nil {
		answer(w, http.StatusBadRequest, problem{"请求格式有误", "the request cannot be read"})
		return false
	}
	return true
}

func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "encode", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that left is no error of ours
}

// present is the world with its scenes as they are now.
func (s *side) present(w http.ResponseWriter, r *http.Request) {
	world := *s.world
	world.Scenes, world.Purses = slices.Clone(s.world.Scenes), slices.Clone(s.world.Purses)
	if program := s.app.Load(); program != nil {
		for i := range world.Scenes {
			if err := refresh(r.Context(), program, &world.Scenes[i]); err != nil {
				answer(w, http.StatusServiceUnavailable, problem{"演示繁忙，请稍后再试", "the store is away"})
				return
			}
		}
		for i := range world.Purses {
			who, _ := s.world.person(world.Purses[i].Person)
			if err := world.Purses[i].refresh(r.Context(), program, who.Member); err != nil {
				answer(w, http.StatusServiceUnavailable, problem{"演示繁忙，请稍后再试", "the store is away"})
				return
			}
		}
	}
	answer(w, http.StatusOK, &world)
}
