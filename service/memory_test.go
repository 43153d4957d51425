package service

import (
	"testing"

	"holdfast/config"
	"holdfast/upload"
)

// The heap's limit leaves room for connections. It grows with the budget only where clients' bytes are in the heap.
func TestHeapLimit(t *testing.T) {
	c := config.Config{MemoryBudget: 1 << 30}
	few, many := heapLimit(c, 100), heapLimit(c, 10_000)
	if few < 128<<20 || many-few != 9_900*50<<10 {
		t.Errorf("%d for 100 connections, %d for 10,000", few, many)
	}
	c.MemoryBudget *= 2
	if grows := heapLimit(c, 100) > few; grows != upload.MemoryInHeap {
		t.Errorf("grows with the budget: %v", grows)
	}
}
