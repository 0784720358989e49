//go:build !race

package commission

const slower = 1
