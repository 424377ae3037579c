package main

import (
	"fmt"
	"log"
	"net"
	"os"
)

func greet(conn net.Conn) {
	defer conn.Close()
	conn.Write([]byte("hello\n"))
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	for {
		conn, err := listener.Accept()
		if err == nil {
			go greet(conn)
		}
	}
}
