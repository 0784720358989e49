// Package keeping moves whole stores about: copies, backups and what comes of them. It is what the commands copy, backup, restore and
// size do.
package keeping

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Place keeps backups: a folder, or a bucket of anything that speaks S3.
type Place interface {
	// Put stores what write writes, whole or not at all.
	Put(ctx context.Context, name string, write func(io.Writer) error) error
	// Get opens one. Error: ErrNoBackup.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// List gives the backups, newest first.
	List(ctx context.Context) ([]Item, error)
	Delete(ctx context.Context, name string) error
}

// Item is one backup in a place.
type Item struct {
	Name  string
	Bytes int64
	At    time.Time // the moment it shows, from its name
}

// ErrNoBackup is told where none is.
var ErrNoBackup = errors.New("no backup there")

const nameForm = "guanxi-20060102T150405Z.backup"

// NameAt is the name of the backup of a moment; names sort by time.
func NameAt(at time.Time) string { return at.UTC().Format(nameForm) }

func itemOf(name string, size int64) (Item, bool) {
	at, err := time.Parse(nameForm, name)
	return Item{name, size, at}, err == nil
}

func newestFirst(items []Item) {
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(b.Name, a.Name) })
}

// S3 says where s3:// is.
type S3 struct{ URL, Region, ID, Secret string }

// At is the place a person named: a folder, or s3://bucket/prefix.
func At(where string, s3 S3) (Place, error) {
	rest, cloud := strings.CutPrefix(where, "s3://")
	switch {
	case where == "":
		return nil, errors.New("no place given")
	case !cloud:
		return folder(where), nil
	case s3.URL == "" || s3.ID == "" || s3.Secret == "":
		return nil, errors.New("GUANXI_BACKUP_S3_URL, _ID and _SECRET must say where s3:// is")
	}
	bucketName, prefix, _ := strings.Cut(rest, "/")
	u, err := url.Parse(s3.URL)
	if err != nil || u.Host == "" || bucketName == "" {
		return nil, fmt.Errorf("GUANXI_BACKUP_S3_URL %q or %q is no address", s3.URL, where)
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(s3.ID, s3.Secret, ""), Secure: u.Scheme == "https", Region: s3.Region,
	})
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	return bucket{client, bucketName, prefix}, nil
}

type folder string

func (f folder) Put(_ context.Context, name string, write func(io.Writer) error) (err error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	part, err := os.CreateTemp(string(f), ".part-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = part.Close()
			_ = os.Remove(part.Name())
		}
	}()
	if err := write(part); err != nil {
		return err
	}
	if err := errors.Join(part.Sync(), part.Close()); err != nil {
		return err
	}
	if err := os.Rename(part.Name(), filepath.Join(string(f), name)); err != nil {
		return err
	}
	dir, err := os.Open(string(f))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (f folder) Get(_ context.Context, name string) (io.ReadCloser, error) {
	file, err := os.Open(filepath.Join(string(f), name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoBackup, name)
	}
	return file, err
}

func (f folder) List(context.Context) (all []Item, err error) {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoBackup, string(f))
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // gone meanwhile
		}
		if item, ok := itemOf(e.Name(), info.Size()); ok {
			all = append(all, item)
		}
	}
	newestFirst(all)
	return all, err
}

func (f folder) Delete(_ context.Context, name string) error {
	return os.Remove(filepath.Join(string(f), name))
}

type bucket struct {
	client       *minio.Client
	name, prefix string
}

func (b bucket) Put(ctx context.Context, name string, write func(io.Writer) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, to := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(to)
		_ = to.CloseWithError(err) // nil is the end of the file
		written <- err
	}()
	_, err := b.client.PutObject(ctx, b.name, path.Join(b.prefix, name), from, -1, minio.PutObjectOptions{PartSize: 16 << 20, DisableContentSha256: true})
	_ = from.CloseWithError(err)
	if failed := <-written; failed != nil {
		return failed
	}
	return err
}

func (b bucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	object, err := b.client.GetObject(ctx, b.name, path.Join(b.prefix, name), minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	if _, err := object.Stat(); err != nil {
		_ = object.Close()
		if minio.ToErrorResponse(err).Code == "NoSuchKey" {
			return nil, fmt.Errorf("%w: %s", ErrNoBackup, name)
		}
		return nil, err
	}
	return object, nil
}

func (b bucket) List(ctx context.Context) (all []Item, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	prefix := b.prefix
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	for object := range b.client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: prefix}) {
		if object.Err != nil {
			return nil, object.Err
		}
		if item, ok := itemOf(strings.TrimPrefix(object.Key, prefix), object.Size); ok {
			all = append(all, item)
		}
	}
	newestFirst(all)
	return all, nil
}

func (b bucket) Delete(ctx context.Context, name string) error {
	return b.client.RemoveObject(ctx, b.name, path.Join(b.prefix, name), minio.RemoveObjectOptions{})
}
