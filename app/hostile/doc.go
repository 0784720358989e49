// Package hostile is a suite of walks by people who mean harm, over HTTP against a running demo: whatever they try, money,
// limits and other people's things stay where they are, and every refusal is a coded sentence. `make hostile` starts a
// demo of its own in a folder that it forgets; with GUANXI_HOSTILE_URL it walks against the one at that address.
//
// The package holds tests only. A walk knows nothing of the program but its API: it may be run against another build.
package hostile
