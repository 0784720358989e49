package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"guanxi/app"
	"guanxi/app/keeping"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/transfer"
)

// bar shows how far something has come on the error output.
func bar(what string) (told keeping.Told, end func()) {
	b := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("documents"), progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	return func(p transfer.Progress) {
		b.Describe(what + " " + p.Collection)
		_ = b.Set64(p.Read) // a bar that cannot be drawn is no reason to stop
	}, func() { _ = b.Finish() }
}

// placeOf reads DIR or a MongoDB URL; the database stands beside it.
func placeOf(where, database, file string) (app.Values, error) {
	p := place{file: file, database: database}
	if strings.HasPrefix(where, "mongodb://") || strings.HasPrefix(where, "mongodb+srv://") {
		p.mongo = where
	} else {
		p.dir = where
	}
	return p.values()
}

func copyCommand() *cobra.Command {
	var from, to, fromDatabase, toDatabase, file string
	var last bool
	c := &cobra.Command{
		Use:   "copy --from DIR|URL --to DIR|URL",
		Short: "bring a whole store to another place: from the embedded store to MongoDB, back, or anywhere",
		Long: "copy brings everything from one store to another, byte for byte, and proves it.\n\n" +
			"  1. guanxi copy --from DIR --to mongodb://…          while the program goes on; as often as you like,\n" +
			"                                                    each time only what has changed is written\n" +
			"  2. stop the program\n" +
			"  3. guanxi copy --from DIR --to mongodb://… --last   brings over the rest, counts and hashes both sides,\n" +
			"                                                    and runs verify and audit on the new one\n" +
			"  4. start the program on the new place, with the same keys (GUANXI_KEYS, GUANXI_KEY_LOOKUP)\n\n" +
			"A store that is being filled is not served from before step 3 has ended well. It may be interrupted at any point and " +
			"called again. The target must be empty at first. Exit code 0: done; 1: not.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			source, err := placeOf(from, fromDatabase, file)
			if err != nil {
				return err
			}
			target, err := placeOf(to, toDatabase, file)
			if err != nil {
				return err
			}
			told, end := bar("copy")
			start := time.Now()
			moved, err := keeping.Copy(c.Context(), source, target, last, told)
			end()
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			if !last {
				fmt.Fprintf(out, "the target holds what the source held when this began (%s); call again for what has changed since, and with --last "+
					"once the program is stopped\n", time.Since(start).Round(time.Millisecond))
				return nil
			}
			fmt.Fprintf(out, "✓ both hold the same %d documents (%s)\n", documents(moved), time.Since(start).Round(time.Millisecond))
			return proveStore(c, to, toDatabase, file)
		},
	}
	c.Flags().StringVar(&from, "from", "", "folder of an embedded store, or a MongoDB URL")
	c.Flags().StringVar(&to, "to", "", "folder of an embedded store, or a MongoDB URL")
	c.Flags().StringVar(&fromDatabase, "from-database", "guanxi", "MongoDB database of --from")
	c.Flags().StringVar(&toDatabase, "to-database", "guanxi", "MongoDB database of --to")
	c.Flags().StringVar(&file, "env-file", "", "settings, for the keys")
	c.Flags().BoolVar(&last, "last", false, "the program is stopped: bring over the rest and prove it")
	_ = c.MarkFlagRequired("from")
	_ = c.MarkFlagRequired("to")
	return c
}

func documents(all []transfer.Totals) (n int64) {
	for _, t := range all {
		n += t.Documents
	}
	return n
}

// proveStore runs verify and audit on a store; an empty one proves nothing and is no failure.
func proveStore(c *cobra.Command, where, database, file string) error {
	values, err := placeOf(where, database, file)
	if err != nil {
		return err
	}
	store, err := app.ReadStore(c.Context(), values)
	if err != nil {
		return err
	}
	var v verification
	err = v.run(c, store, values)
	if empty := (undecided{}); errors.As(err, &empty) && !v.any {
		fmt.Fprintln(c.OutOrStdout(), "there is no money in it yet: nothing to prove")
		return store.Close()
	}
	if err == nil {
		_, err = printAudit(c, store)
	}
	return errors.Join(err, store.Close())
}

func backupKey(values app.Values) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(values["GUANXI_BACKUP_KEY"])
	if err != nil || len(raw) != 32 {
		return nil, errors.New("GUANXI_BACKUP_KEY must be base64 of 32 bytes: make one with `openssl rand -base64 32`, and keep a copy elsewhere")
	}
	return raw, nil
}

func backups(where string, values app.Values) (keeping.Place, error) {
	return keeping.At(where, keeping.S3{
		URL: values["GUANXI_BACKUP_S3_URL"], Region: values["GUANXI_BACKUP_S3_REGION"],
		ID: values["GUANXI_BACKUP_S3_ID"], Secret: values["GUANXI_BACKUP_S3_SECRET"],
	})
}

func backupCommand() *cobra.Command {
	var where place
	var out string
	var keep int
	var list bool
	c := &cobra.Command{
		Use:   "backup --out FOLDER|s3://BUCKET/PREFIX",
		Short: "write an encrypted backup of one moment, while the program goes on",
		Long: "backup writes everything as it is at one moment, encrypted under GUANXI_BACKUP_KEY, while the program goes on selling: beside " +
			"an embedded store, and with MongoDB 5.0 or newer (which keeps a moment for five minutes unless " +
			"minSnapshotHistoryWindowInSeconds says more). Every backup is whole by itself. Try the way back now and then: " +
			"guanxi restore into an empty folder, which verifies it. Keys of the settings are not in it.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			values, err := where.values()
			if err != nil {
				return err
			}
			to, err := backups(out, values)
			if err != nil {
				return err
			}
			if list {
				return listBackups(c, to)
			}
			key, err := backupKey(values)
			if err != nil {
				return err
			}
			told, end := bar("back up")
			start := time.Now()
			item, contents, err := keeping.Backup(c.Context(), values, to, key, told)
			end()
			if errors.Is(err, docstore.ErrAbsent) {
				return undecided{err}
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "✓ %s: %d documents, %.1f MB, in %s\n", item.Name, contents.Documents(), float64(item.Bytes)/1e6,
				time.Since(start).Round(time.Millisecond))
			gone, err := keeping.Retain(c.Context(), to, keep)
			for _, old := range gone {
				fmt.Fprintf(c.OutOrStdout(), "deleted %s\n", old.Name)
			}
			return err
		},
	}
	where.flags(c)
	c.Flags().StringVar(&out, "out", "", "folder, or s3://bucket/prefix")
	c.Flags().IntVar(&keep, "keep", 0, "keep this many newest backups and delete older ones; 0 = keep all")
	c.Flags().BoolVar(&list, "list", false, "list the backups that are there, and write none")
	_ = c.MarkFlagRequired("out")
	return c
}

func listBackups(c *cobra.Command, at keeping.Place) error {
	all, err := at.List(c.Context())
	if err != nil {
		return err
	}
	for _, item := range all {
		fmt.Fprintf(c.OutOrStdout(), "%s  %8.1f MB\n", item.Name, float64(item.Bytes)/1e6)
	}
	if len(all) == 0 {
		return keeping.ErrNoBackup
	}
	return nil
}

func restoreCommand() *cobra.Command {
	var where place
	var from, name string
	c := &cobra.Command{
		Use:   "restore --from FILE|FOLDER|s3://BUCKET/PREFIX",
		Short: "fill an empty store from a backup, and prove it",
		Long: "restore reads a whole backup and proves that every byte of it is there before it writes anything; then it fills an empty store, " +
			"compares counts and hashes with the backup, and runs verify and audit. Without --name it takes the newest backup of the " +
			"place. The program then needs the same GUANXI_KEYS and GUANXI_KEY_LOOKUP as before. It may be interrupted and called again; " +
			"until it has ended well nobody serves from that store.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			values, err := where.values()
			if err != nil {
				return err
			}
			if info, err := os.Stat(from); err == nil && !info.IsDir() {
				from, name = filepath.Split(from)
			}
			at, err := backups(from, values)
			if err != nil {
				return err
			}
			key, err := backupKey(values)
			if err != nil {
				return err
			}
			told, end := bar("restore")
			start := time.Now()
			contents, err := keeping.Restore(c.Context(), at, name, key, values, told)
			end()
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "✓ %d documents of %s are back (%s)\n", contents.Documents(), contents.At.Format(time.RFC3339),
				time.Since(start).Round(time.Millisecond))
			if values["GUANXI_MONGO_URL"] != "" {
				return proveStore(c, values["GUANXI_MONGO_URL"], values["GUANXI_MONGO_DATABASE"], where.file)
			}
			return proveStore(c, values["GUANXI_DIR"], "", where.file)
		},
	}
	where.flags(c)
	c.Flags().StringVar(&from, "from", "", "a backup's file, a folder, or s3://bucket/prefix")
	c.Flags().StringVar(&name, "name", "", "which backup; default the newest")
	_ = c.MarkFlagRequired("from")
	return c
}

func sizeCommand() *cobra.Command {
	var where place
	c := &cobra.Command{
		Use: "size", Short: "say what takes room in a store, collection by collection", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			values, err := where.values()
			if err != nil {
				return err
			}
			told, end := bar("measure")
			all, err := keeping.Size(c.Context(), values, told)
			end()
			if errors.Is(err, docstore.ErrAbsent) {
				return undecided{err}
			}
			if err != nil {
				return err
			}
			var sum int64
			for _, t := range all {
				sum += t.Bytes
			}
			out := c.OutOrStdout()
			fmt.Fprintf(out, "%12s %12s %9s %6s  %s\n", "documents", "bytes", "each", "share", "collection")
			for _, t := range all {
				fmt.Fprintf(out, "%12d %12d %9d %5.1f%%  %s\n", t.Documents, t.Bytes, t.Bytes/t.Documents, 100*float64(t.Bytes)/float64(sum), t.Collection)
			}
			fmt.Fprintf(out, "%12d %12d %9s %6s  all; indexes and free room in files come on top\n", documents(all), sum, "", "")
			return nil
		},
	}
	where.flags(c)
	return c
}
