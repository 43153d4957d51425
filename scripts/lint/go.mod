// What `make lint` runs. A module of its own: none of it is a part of the service.
module holdfast/scripts/lint

go 1.26.0

tool (
	honnef.co/go/tools/cmd/staticcheck // for one package, by hand: make lint has scripts/lint/main.go
	mvdan.cc/unparam
)

require (
	github.com/kisielk/errcheck v1.30.0
	golang.org/x/tools v0.51.0
	honnef.co/go/tools v0.8.2
)

require (
	github.com/BurntSushi/toml v1.4.1-0.20240526193622-a339e1f7089c // indirect
	golang.org/x/exp/typeparams v0.0.0-20231108232855-2478ac86f678 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/sync v0.23.0 // indirect
	mvdan.cc/unparam v0.0.0-20260823230713-2fa3d841b0c8 // indirect
)
