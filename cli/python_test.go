package cli

import "testing"

// Commands that start the Python service start this one; others are refused as before.
func TestPythonCommand(t *testing.T) {
	for _, args := range [][]string{
		{"sh", "-c", "poetry run alembic -c src/shared_kernel/database/alembic.ini upgrade head &&\n       " +
			"poetry run uvicorn src.main:app --host 0.0.0.0 --port 8000 --workers 4"},
		{"/bin/sh", "-c", "exec uvicorn src.main:app"},
		{"bash", "-ec", "alembic upgrade head; /usr/local/bin/uvicorn src.main:app"},
		{"poetry", "run", "uvicorn", "src.main:app", "--host", "0.0.0.0"},
		{"uvicorn", "src.main:app"},
	} {
		if !pythonCommand(args) {
			t.Errorf("%q does not serve", args)
		}
	}
	for _, args := range [][]string{nil, {"serve"}, {"sh"}, {"sh", "-c", "alembic upgrade head"}, {"upload", "uvicorn"},
		{"poetry", "run", "pytest"}} {
		if pythonCommand(args) {
			t.Errorf("%q serves", args)
		}
	}
}
