//go:build race

package commission

// slower is how many times fewer random operations a test does under the race detector.
const slower = 10
