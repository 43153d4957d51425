package cli

import (
	"fmt"
	"os"
	"reflect"

	"github.com/alecthomas/kong"
)

// rawArguments makes kong pass arguments on as raw bytes: names of files need not be UTF-8. Kong's own decoders pass
// them through JSON, which replaces bytes that are not UTF-8.
func rawArguments() []kong.Option {
	existing := func(what string, fits func(os.FileInfo) bool) kong.MapperFunc {
		return func(ctx *kong.DecodeContext, target reflect.Value) error {
			for {
				path, err := popArgument(ctx)
				if err != nil {
					return err
				}
				if info, err := os.Stat(path); err != nil {
					return err
				} else if !fits(info) {
					return fmt.Errorf("%q is no %s", path, what)
				}
				if target.Kind() != reflect.Slice {
					target.SetString(path)
					return nil
				}
				// For a list, kong calls this once, for all arguments that follow.
				target.Set(reflect.Append(target, reflect.ValueOf(path)))
				if !ctx.Scan.Peek().IsValue() {
					return nil
				}
			}
		}
	}
	return []kong.Option{
		kong.KindMapper(reflect.String, kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
			text, err := popArgument(ctx)
			target.SetString(text)
			return err
		})),
		kong.NamedMapper("existingfile", existing("file", func(i os.FileInfo) bool { return !i.IsDir() })),
		kong.NamedMapper("existingdir", existing("folder", os.FileInfo.IsDir)),
	}
}

func popArgument(ctx *kong.DecodeContext) (string, error) {
	token, err := ctx.Scan.PopValue("string")
	if err != nil {
		return "", err
	}
	return token.String(), nil
}
