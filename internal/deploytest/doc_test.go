// Package deploytest keeps what is deployed true: docker-compose.yml and Dockerfile
// are read as their tools read them, deploy/nginx.conf is run by a real nginx in front
// of the real program.
package deploytest
