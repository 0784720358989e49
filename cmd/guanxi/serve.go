package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"guanxi/app"
	"guanxi/internal/telemetry"
)

func serveCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "serve", Short: "run in production, configured by the environment or a file (see guanxi doctor --settings)", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return serve(c.Context(), file) },
	}
	c.Flags().StringVar(&file, "env-file", "", "file of NAME=value lines; the environment wins")
	return c
}

func serve(ctx context.Context, file string) error {
	values, err := app.ReadValues(os.Environ(), file)
	if err != nil {
		return err
	}
	if wrong := values.Check(); len(wrong) > 0 {
		for _, line := range wrong {
			fmt.Fprintln(os.Stderr, "✗", line)
		}
		return errReported
	}
	log, err := telemetry.NewLog(os.Stdout, values["GUANXI_LOG"])
	if err != nil {
		return err
	}
	for _, line := range values.Warnings() {
		log.Warn("settings", "warning", line)
	}
	stopTraces, err := telemetry.StartTraces(ctx, values["GUANXI_OTLP_URL"], version)
	if err != nil {
		return err
	}
	addresses := []string{values["GUANXI_LISTEN"], values["GUANXI_OPS_LISTEN"]}
	if apart := values["GUANXI_CONSOLE_ADDR"]; apart != "" {
		addresses = append(addresses, apart)
	}
	ports, err := takePorts(ctx, addresses...)
	if err != nil {
		return err
	}
	defer ports.close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	program, err := app.Open(ctx, values, log, registry)
	if err != nil {
		return err
	}
	if err := program.Start(ctx); err != nil {
		return errors.Join(err, program.Close())
	}
	log.Info("serving", "listen", values["GUANXI_LISTEN"], "version", version)
	err = listen(ctx, ports, program, operatorHandler(registry))
	quiet := context.WithoutCancel(ctx)
	return errors.Join(err, program.Stop(quiet), program.Close(), stopTraces(quiet))
}

// ports are the taken addresses, by setting: what is said to be served is.
type ports []net.Listener

func takePorts(ctx context.Context, addresses ...string) (taken ports, err error) {
	for _, address := range addresses {
		l, err := app.Listen(ctx, address)
		if err != nil {
			taken.close()
			return nil, err
		}
		taken = append(taken, l)
	}
	return taken, nil
}

// close gives back what nobody serves on; closing a served one again harms nothing.
func (p ports) close() {
	for _, l := range p {
		_ = l.Close()
	}
}

// listen serves the public edge and the operator's port until the program is told to stop.
func listen(ctx context.Context, taken ports, program *app.Program, operator http.Handler) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type door struct {
		handler  http.Handler
		draining func()
	}
	doors := []door{{program.Handler(), program.API.Drain}, {operator, nil}, {program.Console.Handler(), nil}}
	var group sync.WaitGroup
	ends := make(chan error, len(taken))
	for i, h := range doors[:len(taken)] { // the console's own address is the last, and need not be
		group.Go(func() {
			ends <- app.Serve(ctx, taken[i], h.handler, program.Log(), h.draining)
			cancel()
		})
	}
	group.Wait()
	close(ends)
	var all error
	for err := range ends {
		all = errors.Join(all, err)
	}
	return all
}

// operatorHandler is for the operator's private port: metrics and profiles.
func operatorHandler(registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
