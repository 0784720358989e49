package demo

import (
	"fmt"
	"io"
	"strings"
)

// Greet prints where to click, who is who, and how to do by curl what has no page yet. Command is how the program was
// called.
func (d *Demo) Greet(w io.Writer, command, dir string) {
	scene := d.World.Scenes[0]
	fmt.Fprintf(w, `
guanxi 关系 · 演示已就绪

  页面 page          %[1]s/            (钱包 a purse: 首页下方 “打开一个钱包”)
  接口文档 API docs  %[1]s/docs
  管理台 console     %[1]s/console/docs
  OpenAPI            %[1]s/openapi.json · %[1]s/console/openapi.json
  沙箱 sandbox       %[1]s/demo/sandbox/      (微信、微信支付的替身；数据保存在 %[2]s)
  查账 verify        %[7]s verify --dir %[2]s --anchor %[3]s   (先停止演示 stop the demo first)

  用 curl 登录 log in with curl:
    CODE=$(curl -s %[1]s/demo/sandbox/wx-login -d '{"person":"%[4]s"}' | sed 's/.*"code":"\([^"]*\)".*/\1/')
    curl -s %[1]s/v1/login -H 'Content-Type: application/json' -H "Idempotency-Key: login-$RANDOM-$RANDOM" -d "{\"code\":\"$CODE\"}"
  正在进行的分享 a share to open: %[5]s (%[6]s)
  走一遍 walk through: scripts/first-sale %[1]s · scripts/first-withdrawal %[1]s
`, d.URL, dir, d.folder.path(fileAnchor), scene.Buyer, scene.Share, scene.Title, command)
	d.greetStaff(w)
	fmt.Fprint(w, `
  Ctrl-C 结束 ends it; 数据会保留 the data stays (--reset 重来 begins anew)
`)
}

func (d *Demo) greetStaff(w io.Writer) {
	fmt.Fprintf(w, "\n  品牌员工 staff (密码 password: %s)\n", password)
	for _, o := range d.World.Operators {
		roles := make([]string, len(o.Roles))
		for i, r := range o.Roles {
			roles[i] = string(r)
		}
		fmt.Fprintf(w, "    %-8s %-16s %s\n", o.Login, strings.Join(roles, ","), o.Words)
	}
	fmt.Fprintf(w, `  审核等待中的提现 review the withdrawal that was held:
    TOKEN=$(curl -s %[1]s/console/api/login -H 'Content-Type: application/json' -H "Idempotency-Key: login-$RANDOM-$RANDOM" -d '{"login":"checker","password":"%[2]s"}' | sed 's/.*"token":"\([^"]*\)".*/\1/')
    HELD=$(curl -s '%[1]s/console/api/withdrawals?state=held' -H "Authorization: Bearer $TOKEN" | sed 's/.*"number":"\([^"]*\)".*/\1/')
    curl -s -X POST %[1]s/console/api/withdrawals/$HELD/approve -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -H "Idempotency-Key: approve-$RANDOM-$RANDOM" -d '{"why":"金额与账本一致"}'
`, d.URL, password)
}
