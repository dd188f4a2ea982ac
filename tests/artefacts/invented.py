"""Folders of invented people, movies and ratings, written as downloads are; their labels can be learned."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

GENRES = ("Action", "Children's", "Drama", "Film-Noir")
START_S = 900_000_000
Rating = tuple[int, int, float, int]


def ratings(count: int, *, half_stars: bool = False, seed: int = 0) -> list[Rating]:
    """Invent ratings of 30 movies by 50 users as (user, movie, stars, time), in no order."""
    random = np.random.default_rng(seed)
    user, movie = random.integers(1, 51, count), random.integers(1, 31, count)
    stars = 2.5 + 1.5 * (user % 2) + 1.0 * (movie % 2) + random.normal(0.0, 0.8, count)
    rounded = np.clip(np.round(2 * stars) / 2 if half_stars else np.round(stars), 1, 5)
    time = START_S + random.permutation(count)
    return list(zip(user.tolist(), movie.tolist(), rounded.tolist(), time.tolist(), strict=True))


def title(movie: int) -> str:
    """Name a movie: an accent, a comma, a pair of quotes, and one without a year."""
    names = {1: "Café, The (1991)", 2: 'The "Second" One (1992)', 3: "Yearless", 4: "On Video (1994) (V)"}
    return names.get(movie, f"Movie {movie} ({1960 + movie})")


def genres(movie: int) -> list[str]:
    return [GENRES[movie % 4], *([GENRES[3]] if movie % 4 == 1 else [])]


def write_100k(folder: Path, rows: list[Rating]) -> Path:
    """Write u.data, u.item, u.user and u.genre."""
    _write(folder / "u.data", [f"{user}\t{movie}\t{stars:g}\t{time}" for user, movie, stars, time in rows])
    _write(folder / "u.genre", [*(f"{name}|{place}" for place, name in enumerate(GENRES)), ""])
    items = []
    for movie in range(1, 31):
        flags = "|".join(str(int(name in genres(movie))) for name in GENRES)
        items.append(f"{movie}|{title(movie)}|01-Jan-1995||http://example.org/{movie}|{flags}")
    _write(folder / "u.item", items, "latin-1")
    people = [f"{user}|{20 + user}|{'MF'[user % 2]}|artist|{10_000 + user}" for user in range(1, 51)]
    _write(folder / "u.user", people)
    return folder


def write_1m(folder: Path, rows: list[Rating]) -> Path:
    """Write ratings.dat, movies.dat and users.dat."""
    _write(folder / "ratings.dat", [f"{user}::{movie}::{stars:g}::{time}" for user, movie, stars, time in rows])
    return _write_dat(folder)


def write_csv(folder: Path, rows: list[Rating]) -> Path:
    """Write ratings.csv and movies.csv; the third movie has no genres."""
    lines = [f"{user},{movie},{stars:.1f},{time}" for user, movie, stars, time in rows]
    _write(folder / "ratings.csv", ["userId,movieId,rating,timestamp", *lines])
    movies = ["movieId,title,genres"]
    for movie in range(1, 31):
        listed = "(no genres listed)" if movie == 3 else "|".join(genres(movie))
        quoted = title(movie).replace('"', '""')
        movies.append(f'{movie},"{quoted}",{listed}')
    _write(folder / "movies.csv", movies)
    return folder


def write_recbole(folder: Path, rows: list[Rating]) -> Path:
    """Write ml-100k.inter, .item and .user with typed headers."""
    lines = [f"{user}\t{movie}\t{stars:g}\t{time}" for user, movie, stars, time in rows]
    _write(folder / "ml-100k.inter", ["user_id:token\titem_id:token\trating:float\ttimestamp:float", *lines])
    items = ["item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"]
    for movie in range(1, 31):
        year = "V" if movie == 3 else str(1960 + movie)
        items.append(f"{movie}\tMovie {movie}\t{year}\t{' '.join(genres(movie))}")
    _write(folder / "ml-100k.item", items)
    people = ["user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token"]
    people += [f"{user}\t{20 + user}\t{'MF'[user % 2]}\tartist\t{10_000 + user}" for user in range(1, 51)]
    _write(folder / "ml-100k.user", people)
    return folder


def write_splits(folder: Path, rows: list[Rating]) -> Path:
    """Write Parquet files split by time, with 0 for what is below 4 in the first, and movies.dat and users.dat."""
    rows = sorted(rows, key=lambda row: row[3])
    first, second = 8 * len(rows) // 10, 9 * len(rows) // 10
    for name, part in (("train", rows[:first]), ("val", rows[first:second]), ("test", rows[second:])):
        hides = np.array([name == "train" and row[2] < 4 for row in part])
        stars, time = np.array([row[2] for row in part]), np.array([row[3] for row in part])
        columns = {
            "user_id": pa.array([row[0] for row in part], pa.int32()),
            "movie_id": pa.array([row[1] for row in part], pa.int32() if name == "train" else pa.int64()),
            "rating": pa.array(np.where(hides, 0, stars).astype(np.int8)),
            "timestamp": pa.array(np.where(hides, 0, time)),
            "like": pa.array((stars >= 4).astype(np.int8)),
            "love": pa.array((stars == 5).astype(np.int8)),
        }
        pq.write_table(pa.table(columns), folder / f"ml1m_{name}.parquet")
    return _write_dat(folder)


def write_census_income(folder: Path, count: int) -> Path:
    """Write census-income.data.gz and census-income.test, a third of the rows."""
    from polyrank.train.datasets.census_income import COLUMNS, INTEGERS

    random = np.random.default_rng(0)
    rows = []
    for _ in range(count):
        age = int(random.integers(10, 80))
        row = {name: "1" if name in INTEGERS else "Not in universe" for name in COLUMNS}
        row |= {"age": str(age), "instance_weight": f"{random.uniform(100, 2000):.2f}", "country_of_birth_self": "?"}
        row["marital_stat"] = "Never married" if age + random.normal(0, 8) < 25 else "Divorced"
        row["income"] = "50000+." if age + random.normal(0, 8) > 55 else "- 50000."
        rows.append(", ".join(row[name] for name in COLUMNS))
    third = count // 3
    (folder / "census-income.data.gz").write_bytes(gzip.compress(("\n".join(rows[third:]) + "\n").encode()))
    _write(folder / "census-income.test", rows[:third])
    return folder


def write_adult(folder: Path, count: int) -> Path:
    """Write adult.data, and adult.test with its first line and the dots behind its classes."""
    random = np.random.default_rng(0)
    rows = []
    for _ in range(count):
        age = int(random.integers(17, 80))
        married = "Never-married" if age + random.normal(0, 8) < 30 else "Divorced"
        income = ">50K" if age + random.normal(0, 8) > 50 else "<=50K"
        work = "?" if random.random() < 0.1 else "Private"
        rows.append(
            f"{age}, {work}, 50000, Bachelors, 13, {married}, Sales, Own-child, White, Male, 0, 0, 40, ?, {income}"
        )
    third = count // 3
    _write(folder / "adult.data", [*rows[third:], ""])
    _write(folder / "adult.test", ["|1x3 Cross validator", *(f"{row}." for row in rows[:third]), ""])
    return folder


def _write_dat(folder: Path) -> Path:
    movies = [f"{movie}::{title(movie)}::{'|'.join(genres(movie))}" for movie in range(1, 31)]
    _write(folder / "movies.dat", movies, "latin-1")
    people = [f"{user}::{'MF'[user % 2]}::{25}::{user % 21}::{10_000 + user}" for user in range(1, 51)]
    _write(folder / "users.dat", people)
    return folder


def _write(file: Path, lines: list[str], encoding: str = "utf-8") -> None:
    file.write_bytes(("\n".join(lines) + "\n").encode(encoding))
