"""
How long it takes to read and check the roster of a city, 22,000 devices on 1,200 sites, as CSV and as XLSX.

The XLSX is one flat sheet with Chinese headers, the CSV the same in GBK. Each is read in a process of its own, since
the start of that is part of what somebody waits for.

    python -m benchmarks.roster [--devices 22000] [--stages]
"""

import argparse
import cProfile
import csv
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from openpyxl import Workbook

from benchmarks.report import Figure, print_figures
from collector.roster.read import read

GOAL_S = 5.0
SITES = 1200
HEADERS = (
    *("区县代码", "学校代码", "学校名称", "城乡分类", "单位类型", "运营商", "签约带宽(Mbps)", "联系人", "电话", "地址"),
    *("班级数", "设备编号", "设备类型", "教室编号", "班级", "型号", "生效日期", "启用日期", "备注"),
)


def rows(devices: int) -> Iterator[list[str]]:
    """Yield the rows of a city that nobody lives in."""
    for number in range(devices):
        site, room = number % SITES, number // SITES
        area, name, street = "111" if site % 2 else "220", f"示例学校{site}", f"示例路{site}号"
        its_site = [f"999{site:07}", name, area, "学校", "示例运营商", "200", "信息中心值班", "000", street, "20"]
        own = [
            f"c{room:04}",
            "班班通",
            f"{room:03}",
            f"初一（{room}）班",
            "windows-classroom-pc",
            "2025/9/1",
            "2025年9月1日",
        ]
        yield ["441802", *its_site, *own, ""]


def write(folder: Path, devices: int) -> list[Path]:
    """Write both files."""
    as_csv, as_xlsx = folder / "roster.csv", folder / "roster.xlsx"
    with as_csv.open("w", encoding="gb18030", newline="") as opened:
        csv.writer(opened).writerows([HEADERS, *rows(devices)])
    book = Workbook(write_only=True)
    sheet = book.create_sheet("台账")
    for row in [HEADERS, *rows(devices)]:
        sheet.append([int(cell) if cell.isdigit() and cell[0] != "0" else cell for cell in row])
    book.save(as_xlsx)
    return [as_csv, as_xlsx]


def seconds(file: Path) -> tuple[float, float]:
    """Return how long `santong roster check` takes, and the processor time of it: as long on a machine that idles."""
    program = "from collector.cli import main; main()"
    began, used = time.monotonic(), _children_s()
    subprocess.run([sys.executable, "-c", program, "roster", "check", file], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began, _children_s() - used


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def print_stages(file: Path) -> None:
    """Print where the time goes within this process."""
    profile = cProfile.Profile()
    profile.runcall(read, [file])
    pstats.Stats(profile).sort_stats("cumulative").print_stats(25)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=22_000)
    parser.add_argument("--stages", action="store_true", help="print where the time goes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        files = write(Path(name), arguments.devices)
        reading = read(files[:1])
        assert len(reading.roster.devices) == arguments.devices
        assert reading.roster == read(files[1:]).roster
        assert not reading.findings, reading.findings[:5]
        figures = []
        for file in files:
            what = f"{arguments.devices:,} rows {file.suffix[1:].upper()} read and checked"
            elapsed, used = seconds(file)
            figures += [Figure(what, elapsed, GOAL_S, "s"), Figure(f"{what}, processor time", used, GOAL_S, "s")]
        print_figures("santong roster check", figures)
        if arguments.stages:
            for file in files:
                print_stages(file)


if __name__ == "__main__":
    main()
