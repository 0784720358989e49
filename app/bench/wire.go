package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// request is one HTTP request of a client that keeps its connection.
type request struct {
	method, url string
	token, key  string
	body        []byte
	want        int // status; 0 = any
}

// answer is what came back.
type answer struct {
	status int
	body   []byte
}

// send makes the request and reads the whole answer.
func send(ctx context.Context, client *http.Client, in request) (answer, error) {
	var reader io.Reader
	if in.body != nil {
		reader = bytes.NewReader(in.body)
	}
	r, err := http.NewRequestWithContext(ctx, in.method, in.url, reader)
	if err != nil {
		return answer{}, err
	}
	if in.body != nil {
		r.Header["Content-Type"] = []string{"application/json"}
	}
	if in.token != "" {
		r.Header["Authorization"] = []string{"Bearer " + in.token}
	}
	if in.key != "" {
		r.Header["Idempotency-Key"] = []string{in.key}
	}
	response, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	out := answer{status: response.StatusCode}
	if n := response.ContentLength; n >= 0 && n < 1<<20 {
		out.body = make([]byte, n)
		_, err = io.ReadFull(response.Body, out.body)
	} else {
		out.body, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
	}
	if err == nil && in.want != 0 && out.status != in.want {
		err = fmt.Errorf("%s %s: status %d, want %d: %.300s", in.method, in.url, out.status, in.want, out.body)
	}
	return out, err
}

// into reads the answer's JSON.
func (a answer) into(v any) error {
	if err := json.Unmarshal(a.body, v); err != nil {
		return fmt.Errorf("answer %.200s: %w", a.body, err)
	}
	return nil
}

// bareTwin is the reference's version of a request: as many bytes there and back, the same headers.
func bareTwin(url string, of request, status, answerBytes int) request {
	of.url = url + "/" + strconv.Itoa(status) + "/" + strconv.Itoa(answerBytes)
	of.want = status
	return of
}
