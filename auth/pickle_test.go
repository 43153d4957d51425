package auth

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
)

func load[T any](t testing.TB, name string) (v T) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

type ids struct {
	User    int64 `json:"user_id"`
	Account int64 `json:"account_id"`
}

type pickleVector struct {
	Name, Hex string
	Identity  *ids
}

func (v pickleVector) bytes(t testing.TB) []byte {
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPickles(t *testing.T) {
	for _, v := range load[[]pickleVector](t, "redis_pickles.json") {
		fields, err := unpickle(v.bytes(t))
		got := ids{pickledID(fields["user_id"]), pickledID(fields["account_id"])}
		public := strings.HasPrefix(v.Name, "public/") // has no user
		switch {
		case v.Identity != nil && (err != nil || got != *v.Identity):
			t.Errorf("%s: %+v, %v, want %+v", v.Name, got, err, *v.Identity)
		case v.Identity == nil && got.User != 0 && got.Account != 0, public && got.User != 0:
			t.Errorf("%s is %+v", v.Name, got)
		case strings.HasPrefix(v.Name, "evil/") && !errors.Is(err, errPickle):
			t.Errorf("%s is read: %v %v", v.Name, fields, err)
		}
	}
}

// head is the beginning of {'user_id': 1, 'account_id': 2, 'x': ...}, up to the value of 'x'.
const head = "\x80\x04}(\x8c\x07user_idK\x01\x8c\naccount_idK\x02\x8c\x01x"

func TestHostilePickles(t *testing.T) {
	if fields, err := unpickle([]byte(head + "Nu.")); err != nil || pickledID(fields["user_id"]) != 1 ||
		pickledID(fields["account_id"]) != 2 {
		t.Fatalf("the harmless one: %v, %v", fields, err)
	}
	full := strings.Repeat("\xff", 7) + "\x7f" // 8 EB
	for name, value := range map[string]string{
		"calls posix.system":          "cposix\nsystem\n\x8c\x02id\x85R",
		"names a class":               "\x8c\x05posix\x8c\x06system\x93",
		"builds an object":            "}}b",
		"makes an object":             "(cposix\nsystem\no",
		"an instance":                 "(i__main__\nX\n",
		"an extension":                "\x82\x01",
		"a persistent id":             "Pid\n",
		"a buffer of another process": "\x97",
		"text of protocol 0":          "I1\n",
		"10,000 lists deep":           strings.Repeat("]", 10_000) + strings.Repeat("a", 9_999),
		"10,000 dicts deep":           strings.Repeat("}K\x01", 10_000) + "N" + strings.Repeat("s", 10_000),
		"10,000 tuples deep":          strings.Repeat("(", 10_000) + strings.Repeat("t", 10_000),
		"10,000 marks":                strings.Repeat("(", 10_000) + "N",
		"a text of 8 EB":              "\x8d" + full,
		"bytes of 8 EB":               "\x8e" + full,
		"a byte array of 16 EB":       "\x96" + strings.Repeat("\xff", 8),
		"a frame of 8 EB":             "\x95" + full + "N",
		"a text of 4 GB":              "X\xff\xff\xff\xff",
		"a number of 4 GB":            "\x8b\xff\xff\xff\xff",
		"a text that is cut short":    "\x8c\x05ab",
		"a memo that is not there":    "j\x01\x00\x00\x00",
		"a list as a key":             "}]Ns",
		"a dict as a key":             "}}Ns",
		"items of no dict":            "NNNs",
		"items of no list":            "NNa",
		"an odd number of items":      "}(Nu",
		"pops what is below its mark": "(0N",
		"a mark too few":              "t",
	} {
		t.Run(name, func(t *testing.T) {
			for _, end := range []string{"u.", ".", ""} {
				if fields, err := unpickle([]byte(head + value + end)); !errors.Is(err, errPickle) {
					t.Errorf("with %q behind it: %d fields, %v", end, len(fields), err)
				}
			}
		})
	}
	for name, whole := range map[string]string{
		"nothing": "", "no protocol": "}.", "protocol 1": "\x80\x01}.", "protocol 6": "\x80\x06}.",
		"protocol only": "\x80\x04",
		"no end":        "\x80\x04}", "no value": "\x80\x04.", "two values": "\x80\x04N}.", "an open mark": "\x80\x04(}.",
		"something behind the end": "\x80\x04}.N", "too long": "\x80\x04" + strings.Repeat("}0", maxPickle/2) + "}.",
	} {
		if _, err := unpickle([]byte(whole)); !errors.Is(err, errPickle) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Memory is bounded by the length of a pickle, for any opcodes.
func TestPickleMemory(t *testing.T) {
	for name, unit := range map[string]string{"lists": "]\x94", "dicts": "}\x94", "texts": "\x8c\x00\x94",
		"memos": "h\x00\x94"} {
		whole := []byte("\x80\x04]\x94(" + strings.Repeat(strings.Repeat(unit, 1000)+"e(", 15))
		whole = append(whole[:min(len(whole), maxPickle-4)], "e."...)
		got := testing.AllocsPerRun(3, func() { unpickle(whole) })
		t.Logf("%s: %.0f allocations for %d bytes", name, got, len(whole))
		if got > float64(len(whole)) {
			t.Errorf("%s: %.0f allocations for %d bytes", name, got, len(whole))
		}
	}
	// A declared length that exceeds the input allocates nothing.
	for name, value := range map[string]string{"a text of 2 GB": "X\xff\xff\xff\x7f",
		"a text of 8 EB": "\x8d" + strings.Repeat("\xff", 7) + "\x7f"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		unpickle([]byte(head + value))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
			t.Errorf("%s took %d bytes", name, n)
		}
	}
}

func FuzzUnpickle(f *testing.F) {
	for _, v := range load[[]pickleVector](f, "redis_pickles.json") {
		f.Add(v.bytes(f))
	}
	f.Add([]byte(head + "]\x94(NNe\x94u."))
	f.Fuzz(func(t *testing.T, b []byte) {
		fields, err := unpickle(b)
		if err != nil {
			if !errors.Is(err, errPickle) || fields != nil {
				t.Errorf("%v %v", fields, err)
			}
			return
		}
		for name, v := range fields {
			if !bytes.Contains(b, []byte(name)) {
				t.Errorf("%q is not in the pickle", name)
			}
			switch v.(type) {
			case nil, bool, int64, string, pickledDict, pickledList, pickledOpaque:
			default:
				t.Errorf("a %T", v)
			}
		}
		if _, err := unpickle(append(b, '.')); err == nil {
			t.Error("what stands behind the end is not seen")
		}
	})
}
