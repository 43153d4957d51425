// Package deploytest tests the files for deployment: docker-compose.yml and Dockerfile are read as their tools read
// them, and deploy/nginx.conf runs in a real nginx in front of the real program.
package deploytest
