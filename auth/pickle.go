package auth

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

const (
	// maxPickle is the longest pickle that is read, in bytes. Those of Django's tokens have about 200.
	maxPickle = 64 << 10
	// maxPickleStack is the maximum height of the stack, in values. Python adds items to a
	// container in batches of 1,000, and each level of nesting adds one more value.
	maxPickleStack = 4096
)

var errPickle = errors.New("not a pickle of plain data")

// unpickle reads a pickle (Python, protocols 2 to 5) of a dict, and returns the items that have
// a string as key: integers as int64, booleans as bool, strings as string, None as nil. All
// other values become placeholders of other types.
//
// It supports numbers, strings and containers, and no opcode that imports or calls anything.
// Each value costs at least one byte of input and is stored once, and a declared length is
// checked against the remaining input before it is used. So memory is bounded by maxPickle, for any input.
func unpickle(b []byte) (map[string]any, error) {
	if len(b) > maxPickle {
		return nil, fmt.Errorf("%w: %d bytes", errPickle, len(b))
	}
	p := pickle{rest: b, memo: map[uint32]any{}}
	if p.byte() != opProto || !within(int(p.byte()), 2, 5) {
		return nil, fmt.Errorf("%w: no protocol from 2 to 5", errPickle)
	}
	for p.err == nil && !p.stopped {
		if p.step(p.byte()); len(p.stack) > maxPickleStack {
			p.fail("too deep")
		}
	}
	if p.err != nil {
		return nil, p.err
	}
	if len(p.rest) > 0 || len(p.stack) != 1 || len(p.marks) > 0 {
		return nil, fmt.Errorf("%w: bytes behind its end", errPickle)
	}
	top, ok := p.stack[0].(pickledDict)
	if !ok {
		return nil, fmt.Errorf("%w: not a dict", errPickle)
	}
	return top, nil
}

// The types of values besides nil, bool, int64 and string. The items of lists are dropped, so
// values are never nested.
type (
	pickledDict   map[string]any
	pickledList   struct{} // a list or a set, which can't be a key
	pickledOpaque struct{} // a number that does not fit an int64, bytes, a tuple
)

// The opcodes, named as in Python's pickletools.
const (
	opMark            = '('
	opStop            = '.'
	opPop             = '0'
	opPopMark         = '1'
	opBinFloat        = 'G'
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opBinInt2         = 'M'
	opNone            = 'N'
	opBinUnicode      = 'X'
	opBinBytes        = 'B'
	opShortBinBytes   = 'C'
	opAppend          = 'a'
	opAppends         = 'e'
	opBinGet          = 'h'
	opLongBinGet      = 'j'
	opBinPut          = 'q'
	opLongBinPut      = 'r'
	opSetItem         = 's'
	opTuple           = 't'
	opSetItems        = 'u'
	opEmptyDict       = '}'
	opEmptyList       = ']'
	opEmptyTuple      = ')'
	opProto           = 0x80
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opLong4           = 0x8b
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opEmptySet        = 0x8f
	opAddItems        = 0x90
	opFrozenSet       = 0x91
	opMemoize         = 0x94
	opFrame           = 0x95
	opByteArray8      = 0x96
)

// pickle is the stack machine that runs a pickle.
type pickle struct {
	rest    []byte
	stack   []any
	marks   []int // heights of the stack
	memo    map[uint32]any
	stopped bool
	err     error // the first
}

// step runs one opcode.
func (p *pickle) step(op byte) {
	switch op {
	case opStop:
		p.stopped = true
	case opFrame: // the length of a run of opcodes; otherwise ignored
		if p.number(8) > uint64(len(p.rest)) {
			p.fail("cut short")
		}
	case opMark:
		p.marks = append(p.marks, len(p.stack))
		if len(p.marks) > maxPickleStack {
			p.fail("too deep")
		}
	case opPop:
		p.pop(1)
	case opPopMark:
		p.sinceMark()
	case opBinPut, opLongBinPut, opMemoize, opBinGet, opLongBinGet:
		p.remember(op)
	case opSetItem:
		p.set(p.pop(2))
	case opSetItems:
		p.set(p.sinceMark())
	case opAppend:
		p.add(p.pop(1))
	case opAppends, opAddItems:
		p.add(p.sinceMark())
	case opTuple1, opTuple2, opTuple3:
		p.pop(int(op-opTuple1) + 1)
		p.push(pickledOpaque{})
	case opTuple, opFrozenSet:
		p.sinceMark()
		p.push(pickledOpaque{})
	default:
		p.push(p.value(op))
	}
}

// value returns the value of an opcode that pushes a single value.
func (p *pickle) value(op byte) any {
	switch op {
	case opNone:
		return nil
	case opNewTrue, opNewFalse:
		return op == opNewTrue
	case opBinInt:
		return int64(int32(p.number(4)))
	case opBinInt1:
		return int64(p.number(1))
	case opBinInt2:
		return int64(p.number(2))
	case opLong1:
		return long(p.take(p.number(1)))
	case opLong4:
		return long(p.take(p.number(4)))
	case opBinFloat:
		p.take(8)
		return pickledOpaque{}
	case opShortBinUnicode:
		return string(p.take(p.number(1)))
	case opBinUnicode:
		return string(p.take(p.number(4)))
	case opBinUnicode8:
		return string(p.take(p.number(8)))
	case opShortBinBytes:
		p.take(p.number(1))
		return pickledOpaque{}
	case opBinBytes:
		p.take(p.number(4))
		return pickledOpaque{}
	case opBinBytes8, opByteArray8:
		p.take(p.number(8))
		return pickledOpaque{}
	case opEmptyDict:
		return pickledDict{}
	case opEmptyList, opEmptySet:
		return pickledList{}
	case opEmptyTuple:
		return pickledOpaque{}
	}
	p.fail(fmt.Sprintf("opcode %#x", op))
	return nil
}

// remember runs the opcodes that store the top of the stack in the memo, and those that push it again.
func (p *pickle) remember(op byte) {
	name := uint32(len(p.memo)) // the index that opMemoize uses
	switch op {
	case opBinPut, opBinGet:
		name = uint32(p.number(1))
	case opLongBinPut, opLongBinGet:
		name = uint32(p.number(4))
	}
	if op == opBinGet || op == opLongBinGet {
		v, ok := p.memo[name]
		if !ok {
			p.fail("an unknown memo")
		}
		p.push(v)
		return
	}
	if !p.has(1) {
		p.fail("an empty stack")
		return
	}
	p.memo[name] = p.stack[len(p.stack)-1]
}

// set adds keys and values to the dict on the stack.
func (p *pickle) set(items []any) {
	if p.err != nil {
		return
	}
	dict, ok := p.top().(pickledDict)
	if !ok || len(items)%2 != 0 {
		p.fail("items without a dict")
		return
	}
	for i := 0; i < len(items); i += 2 {
		switch key := items[i].(type) {
		case string:
			dict[key] = items[i+1]
		case pickledDict, pickledList:
			p.fail("a key that can't be one")
		}
	}
}

// add drops items that are added to the list or set on the stack.
func (p *pickle) add([]any) {
	if _, ok := p.top().(pickledList); !ok {
		p.fail("items without a list")
	}
}

func (p *pickle) push(v any) { p.stack = append(p.stack, v) }

// has reports whether there are n values above the last mark.
func (p *pickle) has(n int) bool {
	bottom := 0
	if len(p.marks) > 0 {
		bottom = p.marks[len(p.marks)-1]
	}
	return len(p.stack)-bottom >= n
}

func (p *pickle) top() any {
	if !p.has(1) {
		p.fail("an empty stack")
		return nil
	}
	return p.stack[len(p.stack)-1]
}

func (p *pickle) pop(n int) []any {
	if !p.has(n) {
		p.fail("an empty stack")
		return nil
	}
	items := p.stack[len(p.stack)-n:]
	p.stack = p.stack[:len(p.stack)-n]
	return items
}

// sinceMark removes the last mark and returns the values above it.
func (p *pickle) sinceMark() []any {
	if len(p.marks) == 0 {
		p.fail("no mark")
		return nil
	}
	items := p.stack[p.marks[len(p.marks)-1]:]
	p.stack = p.stack[:p.marks[len(p.marks)-1]]
	p.marks = p.marks[:len(p.marks)-1]
	return items
}

func (p *pickle) byte() byte { return byte(p.number(1)) }

// number reads a number of size bytes.
func (p *pickle) number(size uint64) uint64 {
	var whole [8]byte
	copy(whole[:], p.take(size))
	return binary.LittleEndian.Uint64(whole[:])
}

// take returns the next n bytes of the input. It fails if there are fewer.
func (p *pickle) take(n uint64) []byte {
	if n > uint64(len(p.rest)) {
		p.fail("cut short")
		p.rest = nil
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *pickle) fail(why string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s", errPickle, why)
	}
}

// long reads a number of any length in two's complement.
func long(b []byte) any {
	if len(b) == 0 {
		return int64(0)
	}
	var whole [8]byte
	if len(b) > len(whole) {
		return pickledOpaque{}
	}
	if b[len(b)-1] > math.MaxInt8 {
		whole = [8]byte(bytes.Repeat([]byte{0xff}, len(whole)))
	}
	copy(whole[:], b)
	return int64(binary.LittleEndian.Uint64(whole[:]))
}

func within(n, least, most int) bool { return n >= least && n <= most }
