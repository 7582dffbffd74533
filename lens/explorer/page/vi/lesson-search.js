// The widget of chapter 1.

export const LESSON_SEARCH = {
  "Drag an arrow": "Hãy kéo một mũi tên",
  "What is compared": "So sánh những gì",
  "One key": "Một khóa",
  "Two keys": "Hai khóa",
  "Restaurants": "Nhà hàng",
  "k twice as long": "k dài gấp đôi",
  "k half as long": "k ngắn đi một nửa",
  "k turned round": "k quay ngược lại",
  "{x} across, {y} up": "{x} theo chiều ngang, {y} theo chiều dọc",
  "At right angles, or no arrow at all: zero.": "Vuông góc, hoặc một mũi tên đã co lại thành một điểm: bằng không.",
  "They point more the same way than not: above zero. The longer an arrow, the more.":
    "Hai mũi tên gần cùng hướng: lớn hơn không. Mũi tên càng dài thì tích càng lớn.",
  "They point opposite ways: below zero. The longer an arrow, the more so.":
    "Hai mũi tên ngược hướng: nhỏ hơn không. Mũi tên càng dài thì tích càng âm.",
  "Lengths {q} and {k}, angle {angle}°": "Độ dài {q} và {k}, góc {angle}°",
  "sushi →": "sushi →",
  "near ↑": "gần ↑",
  "Sushi Mai, round the corner": "Sushi Mai, ngay góc phố",
  "Sushi Sea, across the river": "Sushi Sea, bên kia sông",
  "Pho Hoa, next door": "Phở Hòa, sát bên nhà",
  "sushi near me": "sushi gần tôi",
  "sushi, however far": "sushi, xa mấy cũng được",
  "anything near": "gì cũng được, miễn là gần",
  "{product}; price {price}": "{product}; giá {price}",
  "Asked for the price, a mixture of all three values comes back:": "Hỏi giá, ta nhận về một hỗn hợp của cả ba giá trị:",
  "The same with three channels": "Vẫn thế, với ba kênh",
  "Change a number. At the right: what softmax makes of the three products.":
    "Hãy đổi một con số. Bên phải: softmax biến ba tích thành các trọng số.",
  "{name}, channel {channel}": "{name}, kênh {channel}",
};
