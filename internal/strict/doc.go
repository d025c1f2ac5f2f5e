// Package strict reads JSON that comes from strangers: at a cost of its bytes, with
// unknown fields refused by name, and every fault named with the path of its field.
package strict
