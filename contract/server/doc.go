// Package server is being written.
package server
