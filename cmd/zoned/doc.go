// Zoned is the supervisor of one zone. zsched starts it; it should not be run by hand.
package main
