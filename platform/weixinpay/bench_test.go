package weixinpay_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guanxi/order"
	"guanxi/platform/sandbox"
	"guanxi/platform/weixinpay"
)

// BenchmarkSale is prepay, pay and notify over real HTTP with every signature. It reports the processor time of one
// sale, how much of it is RSA, and how much is neither.
func BenchmarkSale(b *testing.B) {
	keys, err := sharedKeys()
	if err != nil {
		b.Fatal(err)
	}
	nanos := func() int64 {
		var at unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &at)
		return at.Nano()
	}
	box, err := sandbox.New(sandbox.Config{Keys: keys, AllowLoopbackHTTP: true, Nanos: nanos})
	if err != nil {
		b.Fatal(err)
	}
	platform := httptest.NewServer(box)
	var pay atomic.Pointer[weixinpay.Payments]
	merchant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		if _, err := pay.Load().ParseNotification(r.Context(), r.Header, body); err != nil {
			b.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer func() { box.Close(); merchant.Close(); platform.Close() }()
	c := box.Credentials()
	adapter, err := weixinpay.New(weixinpay.Config{
		AppID: c.AppID, MchID: c.MchID, MerchantSerial: c.MerchantSerial, MerchantKeyPEM: c.MerchantKeyPEM,
		PublicKeyID: c.PublicKeyID, PublicKeyPEM: c.PublicKeyPEM, APIv3Key: c.APIv3Key,
		NotifyURL: merchant.URL + "/n", BaseURL: platform.URL, Nanos: nanos,
	})
	if err != nil {
		b.Fatal(err)
	}
	pay.Store(adapter)
	var number atomic.Int64
	cpu := processorTime()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			params, err := adapter.Prepay(context.Background(), order.Prepayment{
				Number: "bench-" + strconv.FormatInt(number.Add(1), 10), Description: "桃子", OpenID: "o-lan", Total: 100,
				ExpiresAt: time.Now().Add(time.Hour),
			})
			if err == nil {
				_, err = box.Pay(tap(params))
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	if err := box.Drain(context.Background()); err != nil {
		b.Fatal(err)
	}
	spent := processorTime() - cpu
	rsa := time.Duration(box.Stats().SignNanos + adapter.Stats().RSANanos)
	n := time.Duration(b.N)
	b.ReportMetric(float64((spent / n).Microseconds()), "cpu-µs/sale")
	b.ReportMetric(float64(((spent - rsa) / n).Microseconds()), "other-µs/sale")
	b.ReportMetric(float64((rsa / n).Microseconds()), "rsa-µs/sale")
	b.ReportMetric(float64(box.Stats().Signatures)/float64(b.N), "box-signs/sale")
	b.ReportMetric(float64(adapter.Stats().Signatures)/float64(b.N), "own-signs/sale")
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
