// Command wiredouble runs the double by itself, for trying out programs that want a MongoDB. It keeps
// everything in memory and forgets it when it ends.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"guanxi/internal/docstore/mongotest/wiredouble"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:27017", "address to listen on")
	flag.Parse()
	double, err := wiredouble.New(wiredouble.Config{Address: *listen})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(double.URL())
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	<-ctx.Done()
	double.Stop()
}
