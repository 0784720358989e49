package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"guanxi/app"
	"guanxi/platform/sandbox"
)

func sandboxCommand() *cobra.Command {
	var address, file, public string
	c := &cobra.Command{
		Use:   "sandbox",
		Short: "imitate WeChat, WeChat Pay and WeCom on the wire, for development; never for production",
		Long: "sandbox imitates the platforms on loopback and writes a settings file with which serve uses it in their place. " +
			"The file keeps its encryption keys when it is there already; the platforms' keys are made anew at every start.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			box, err := sandbox.New(sandbox.Config{AllowLoopbackHTTP: true})
			if err != nil {
				return err
			}
			defer box.Close()
			l, err := app.Listen(c.Context(), address)
			if err != nil {
				return err
			}
			at := "http://" + l.Addr().String()
			if err := writeSandboxSettings(file, at, public, box.Credentials()); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "sandbox on %s\nuse it with: %s serve --env-file %s\n", at, called(), file)
			return app.Serve(c.Context(), l, box, slog.Default(), nil)
		},
	}
	c.Flags().StringVar(&address, "listen", "127.0.0.1:8081", "address; keep it on loopback")
	c.Flags().StringVar(&file, "env-file", "var/sandbox/guanxi.env", "settings file to write; its keys lie beside it")
	c.Flags().StringVar(&public, "public-url", "http://127.0.0.1:8080", "where serve will be reached, on loopback")
	return c
}

// writeSandboxSettings writes a file for serve --env-file, and the PEM files it names beside it.
func writeSandboxSettings(file, at, public string, to sandbox.Credentials) error {
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	keys, err := encryptionKeys(file)
	if err != nil {
		return err
	}
	merchant, platform := filepath.Join(folder, "merchant.pem"), filepath.Join(folder, "platform.pem")
	lines := append([]string{
		"# Written by the sandbox for development.",
		"GUANXI_SANDBOX_URL=" + at, "GUANXI_PUBLIC_URL=" + public, "GUANXI_DIR=" + filepath.Join(folder, "data"),
		"GUANXI_WEIXIN_APPID=" + to.AppID, "GUANXI_WEIXIN_SECRET=" + to.AppSecret,
		"GUANXI_PAY_MCHID=" + to.MchID, "GUANXI_PAY_SERIAL=" + to.MerchantSerial, "GUANXI_PAY_KEY_FILE=" + merchant,
		"GUANXI_PAY_PUBLIC_KEY_ID=" + to.PublicKeyID, "GUANXI_PAY_PUBLIC_KEY_FILE=" + platform, "GUANXI_PAY_APIV3_KEY=" + to.APIv3Key,
	}, keys...)
	for name, content := range map[string]string{merchant: to.MerchantKeyPEM, platform: to.PublicKeyPEM, file: strings.Join(lines, "\n") + "\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// encryptionKeys keeps those of an earlier start: what was stored under them stays readable.
func encryptionKeys(file string) ([]string, error) {
	if _, err := os.Stat(file); err == nil {
		values, err := app.ReadValues(nil, file)
		if err != nil {
			return nil, err
		}
		return []string{"GUANXI_KEY_LOOKUP=" + values["GUANXI_KEY_LOOKUP"], "GUANXI_KEYS=" + values["GUANXI_KEYS"]}, nil
	}
	var secret [64]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return nil, err
	}
	encode := base64.StdEncoding.EncodeToString
	return []string{"GUANXI_KEY_LOOKUP=" + encode(secret[:32]), "GUANXI_KEYS=dev:" + encode(secret[32:])}, nil
}
