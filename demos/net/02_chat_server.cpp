// A chat room: what one says, all others hear. With a port it is a real server, for `nc localhost <port>`;
// without one it shows itself with three scripted guests.
#include <coir/coir.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

using namespace std::chrono_literals;
using coir::net::buffered;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

class room {
public:
    void visit(tcp_stream stream) {
        buffered in(stream);
        stream.write_all("your name?\n");
        const auto name = in.read_line(20);
        if (!name || name->empty()) return;

        // Each guest has a mailbox and a task that empties it, so that a slow reader makes nobody else wait.
        coir::channel<std::string> mailbox(100);
        coir::task_group writer;  // its task ends before this scope does, whatever happens
        writer.spawn([&] {
            for (const std::string& line : mailbox) stream.write_all(line);
        });
        const guest here(*this, *name, mailbox);
        while (auto line = in.read_line()) tell_others(*name, *name + ": " + *line + "\n");
    }

private:
    /// On the list for as long as it lives. All of it is one thread's: no locks.
    struct guest {
        guest(room& r, const std::string& n, coir::channel<std::string>& m) : where(r), name(n), mailbox(m) {
            if (!where.guests_.emplace(name, &mailbox).second) throw std::runtime_error(name + " is here");
            where.tell_others(name, "* " + name + " has come\n");
        }
        ~guest() {
            where.guests_.erase(name);
            where.tell_others(name, "* " + name + " has gone\n");
            mailbox.close();
        }
        room& where;
        std::string name;
        coir::channel<std::string>& mailbox;
    };

    void tell_others(const std::string& speaker, const std::string& line) {
        for (auto& [name, mailbox] : guests_) {
            if (name != speaker) mailbox->try_send(line);  // full: it is lost, nobody waits for a sleeper
        }
    }

    std::map<std::string, coir::channel<std::string>*> guests_;
};

/// Says its lines, and hears as many as it waits for in between.
class scripted_guest {
public:
    scripted_guest(const coir::net::address& at, std::string name) : stream_(tcp_stream::connect(at)), name_(name) {
        in_.read_line();
        say(name);
    }
    void say(const std::string& line) { stream_.write_all(line + "\n"); }
    void hear() {
        const auto line = in_.read_line();  // first: others may write while this waits
        std::cout << name_ << " hears  " << line.value_or("(the end)") << std::endl;
    }

private:
    tcp_stream stream_;
    buffered<tcp_stream> in_{stream_};
    std::string name_;
};

void play(const coir::net::address& at) {
    scripted_guest ann(at, "Ann");
    scripted_guest bob(at, "Bob");
    ann.hear();
    {
        scripted_guest cat(at, "Cat");
        ann.hear(), bob.hear();
        cat.say("hello, you two");
        ann.hear(), bob.hear();
        bob.say("hello, Cat");
        ann.hear(), cat.hear();
    }
    ann.hear(), bob.hear();
}

int main(int argc, char** argv) {
    const int port = argc > 1 ? std::atoi(argv[1]) : 0;
    tcp_listener listener = tcp_listener::bind("127.0.0.1", port);
    room lobby;
    auto server = coir::spawn(
        [&] { coir::net::serve(listener, [&](tcp_stream stream) { lobby.visit(std::move(stream)); }, {.drain = 1s}); });
    if (argc > 1) {
        std::cout << "nc 127.0.0.1 " << port << "    (control-C ends it)" << std::endl;
        coir::signal_set{SIGINT, SIGTERM}.wait();
    } else {
        play(listener.local_address());
    }
    listener.close();
    server.get();
}
