// Package deploytest tests the files for deployment: docker-compose.yml and Dockerfile
// are read as their tools read them, and nginx, Caddy and HAProxy run with their files in front
// of the real program.
package deploytest
