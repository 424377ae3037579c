// Counting words in other processes: arguments and results are copied there and back, and a job that crashes is an
// error of that job, nothing worse.
#include <coir/exec/process_pool.hpp>

#include <csignal>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

using counts = std::map<std::string, int>;

// Runs in a worker: a process of its own, with this program's code and none of its threads or descriptors.
counts count_words(const std::string& text) {
    counts found;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        if (word == "crash") std::raise(SIGKILL);
        if (word == "throw") throw std::invalid_argument("a word that cannot be counted");
        ++found[word];
    }
    return found;
}

int main() {
    coir::process_pool pool(4);  // early, while the program has no other threads
    const std::vector<std::string> pages = {"the cat and the dog",   "the dog sleeps", "a crash is an error of one job",
                                            "and the cat sleeps so", "throw it away",  "the end"};

    std::vector<coir::future<counts>> results;
    for (const std::string& page : pages) results.push_back(pool.submit(count_words, page));

    counts total;
    for (std::size_t page = 0; page < pages.size(); ++page) {
        try {
            for (const auto& [word, n] : results[page].get()) total[word] += n;
        } catch (const coir::broken_process_pool&) {
            std::cout << "page " << page << ": its worker was killed, and has been replaced\n";
        } catch (const coir::remote_error& e) {
            std::cout << "page " << page << ": " << e.type_name() << ": " << e.what() << "\n";
        }
    }
    for (const auto& [word, n] : total) {
        if (n > 1) std::cout << n << " x " << word << "\n";
    }

    // A lambda will do, if it captures nothing: the compiler says so if it does.
    std::cout << pool.submit([](int a, int b) { return a + b; }, 40, 2).get() << "\n";
}
